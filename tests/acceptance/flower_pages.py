"""Flower as somebody at a browser, or at its API, has it."""

from typing import Any

import httpx

LOGIN = ("payferry", "a-word-of-the-test")


class FlowerPages:
    """One Flower that is being served."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)

    def get(self, path: str, *, login: bool = True) -> httpx.Response:
        """Return what is at a path."""
        return self._client.get(path, auth=LOGIN if login else None)

    def post(self, path: str, *, login: bool = True) -> httpx.Response:
        """Ask for a change, as a page does."""
        return self._client.post(path, auth=LOGIN if login else None)

    def tasks(self) -> list[dict[str, Any]]:
        """Return all tasks that it knows, as its API tells of them."""
        told = self.get("/api/tasks?limit=10000")
        assert told.status_code == 200
        return list(told.json().values())

    def worker(self) -> str:
        """Return the name of its one worker."""
        (name,) = self.get("/api/workers?refresh=1").json()
        return str(name)

    def shown(self) -> dict[str, str]:
        """Return every page and every answer of the API that shows something, by its path."""
        ids = [task["uuid"] for task in self.tasks()]
        paths = (
            *("/", "/workers", "/workers?json=1", f"/worker/{self.worker()}", "/tasks", _TABLE, "/broker", "/metrics"),
            *("/api/workers", "/api/tasks?limit=10000", "/api/task/types", "/api/queues/length", "/healthcheck"),
            *(f"{page}/{task_id}" for task_id in ids for page in ("/task", "/api/task/info")),
        )
        return {path: self._text(path) for path in paths}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _text(self, path: str) -> str:
        told = self.get(path)
        assert told.status_code == 200, path
        return told.text


_TABLE = "/tasks/datatable?draw=1&start=0&length=10000&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"
"""What the page of tasks fills its table from."""
