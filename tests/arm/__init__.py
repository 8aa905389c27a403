"""Check the runtime on emulated 64-bit Arm CPUs: `make arm`."""
