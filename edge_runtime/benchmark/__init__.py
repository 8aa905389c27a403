"""`edge-benchmark`: measure how fast models are on this device, and which of them is faster.

    cli          options, checks and entry point
    session      what was planned and what was measured
    run          the passes in their order; what was measured survives an interruption
    latency      the latency pass: all settings take turns
    contestant   one setting during a run: its model, its images, its times
    pipeline     one setting from image to result, with each stage timed
    cold_start   one setting in a new process, timed from its start
    sustained    one setting for a long time
    verdicts     percentiles and comparisons of the times
    images       the images that are classified
    environment  the machine
    disturbance  whether other programs disturbed a pass
    record       the results as JSON
    regression   one record compared with an older one
    table        the results as tables
    publish      print and write the results, choose the exit code

For `--tune`, which keeps what is fastest:

    tune_command  tune models and keep the choices, or forget them
    tune          what is fastest, among what computes the right scores
    candidates    the settings that compete, after a first look
    folders       a folder by the number of processes
    tune_report   tables and JSON

The statistics are those of `edge_runtime.support.timing`.
"""
