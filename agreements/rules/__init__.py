"""The rules of the register, each once and pure: no queries, no HTTP."""
