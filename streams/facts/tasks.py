"""Tasks: the newest record of each, and how it stands by it."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select

from schemas.records import Task, TaskCompleted, TaskFailed
from streams.facts import tables as t
from streams.facts.pictures import named_in, of_newest
from streams.facts.repository import Repository, load

TaskRecord = Task | TaskCompleted | TaskFailed


@dataclass(frozen=True)
class TaskFact:
    """How a task stands: queued, done, failed, or dropped as superseded, cancelled or expired."""

    task_id: str
    operation: str
    state: str
    record: TaskRecord

    @property
    def task(self) -> Task:
        """The task itself."""
        return self.record if isinstance(self.record, Task) else self.record.task


class Tasks(Repository):
    """The tasks as one transaction sees and changes them."""

    def put(self, record: TaskRecord) -> None:
        """Notes how a task stands. A task that is written again starts anew, unless it was done.

        An event that is read again may be cut off between this and the task's record: nothing would end it then.
        """
        task = record if isinstance(record, Task) else record.task
        state = {Task: "queued", TaskFailed: "failed"}.get(type(record)) or getattr(record, "outcome", "")
        values = {
            "tenant": task.tenant,
            "sku": task.sku,
            "version": task.version,
            "operation": task.step.operation,
            "counted_at_ms": task.asked_at_ms if task.source is not None and task.lane != "bulk" else None,
        }
        noted = {**values, "state": state, "record": t.dumped(record)}
        self._upsert(t.tasks, {"task_id": task.task_id}, noted, final="done" if state == "queued" else None)

    def get(self, task_id: str) -> TaskRecord | None:
        """The newest record of a task, or None."""
        row = self._first(select(t.tasks.c.record).where(t.tasks.c.task_id == task_id))
        return None if row is None else load(row.record, TaskRecord)

    def of(self, tenant: str, sku: str, version: int) -> list[TaskFact]:
        """The tasks of one version of a product, oldest news first."""
        columns = t.tasks.c
        where = (columns.tenant == tenant, columns.sku == sku, columns.version == version)
        rows = self._connection.execute(select(t.tasks).where(*where).order_by(columns.updated_at_ms, columns.task_id))
        return [TaskFact(row.task_id, row.operation, row.state, load(row.record, TaskRecord)) for row in rows]

    def counted(self, tenant: str, since_ms: int, at_ms: int) -> tuple[int, set[str]]:
        """Of the tasks that count towards a quota: how many from `since_ms` to before `at_ms`, and which then."""
        columns = t.tasks.c
        mine = columns.tenant == tenant
        before = select(func.count()).where(mine, columns.counted_at_ms >= since_ms, columns.counted_at_ms < at_ms)
        then = select(columns.task_id).where(mine, columns.counted_at_ms == at_ms)
        return self._connection.execute(before).scalar_one(), set(self._connection.execute(then).scalars())

    def queued(self, before_ms: int) -> list[Task]:
        """The tasks that wait for their end since before a Unix time."""
        where = (t.tasks.c.state == "queued", t.tasks.c.updated_at_ms <= before_ms)
        return [load(row.record, Task) for row in self._connection.execute(select(t.tasks.c.record).where(*where))]

    def forget(self) -> None:
        """Drops every task."""
        self._connection.execute(delete(t.tasks))

    def states(self) -> dict[str, str]:
        """How each task stands, by its id."""
        rows = self._connection.execute(select(t.tasks.c.task_id, t.tasks.c.state))
        return {row.task_id: row.state for row in rows}

    def has(self, task_id: str) -> bool:
        """Whether there is, or was, a task with this id."""
        return self._first(select(t.tasks.c.task_id).where(t.tasks.c.task_id == task_id)) is not None

    def named_pictures(self) -> set[str]:
        """The digests of all pictures that tasks of products' newest versions work on, or have made."""
        rows = self._connection.execute(of_newest(t.tasks))
        return {blob.digest for row in rows for blob in named_in(load(row.record, TaskRecord))}
