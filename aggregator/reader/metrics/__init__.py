"""The metrics of `/metrics`, in Prometheus' exposition formats."""
