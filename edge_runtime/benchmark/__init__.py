"""`edge-benchmark`: how fast models are on this device, and whether a difference is one.

    cli         the options
    session     what is measured, in which order, and what an interruption leaves
    pipeline    one setting, from picture to answer, each stage timed
    cold_start  the same in a process of its own, from its start
    sustained   the same for long
    record      the result as JSON, and reading it again
    regression  one such record against another
    table       the result for people

Statistics are `edge_runtime.support.timing`'s, the machine `edge_runtime.benchmark.environment`'s.
"""
