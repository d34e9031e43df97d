"""The pools: what each of them does with a task, from its inputs in storage to its result in storage."""
