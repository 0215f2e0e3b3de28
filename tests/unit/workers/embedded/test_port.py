import socket

from workers.embedded.port import LOOPBACK, answers, free_port


def test_a_free_port_can_be_bound_and_answers_nobody() -> None:
    port = free_port()
    assert not answers(port)
    with socket.socket() as mine:
        mine.bind((LOOPBACK, port))


def test_a_listening_port_answers() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert answers(server.getsockname()[1])
