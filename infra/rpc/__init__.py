"""gRPC beside HTTP: the same questions and commands, with the same answers and refusals."""
