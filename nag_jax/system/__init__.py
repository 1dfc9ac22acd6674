"""The system: devices, options, errors, progress, and files of weights."""
