"""A stand-in for the package `spaces`, as far as the page leans on it: what its wrapper of generators does (0.51.3, read in its source).

A call asks for a card with the seconds that it declares and may be refused with gr.Error; the generator runs in a forked process that
is kept for the next call of the same function; arguments and pieces are pickled; closing the generator sets an event that the process
looks at after its next piece, and waits for the end of it.
"""

import multiprocessing
from types import SimpleNamespace

import gradio as gr
from gradio.context import LocalContext

FORK = multiprocessing.get_context("fork")
asked: list[tuple[int, str | None]] = []  # (seconds, whose request)
left = SimpleNamespace(seconds=10_000)


def GPU(task, duration):
    kept = []

    def serve(ours, stop) -> None:
        while True:
            arguments = ours.recv()
            stop.clear()
            pieces = task(*arguments)
            try:
                for piece in pieces:
                    if stop.is_set():
                        break
                    ours.send((piece,))
            except Exception as error:
                print(type(error).__name__, error, flush=True)
                ours.send(gr.Error(type(error).__name__, title="ZeroGPU worker error", print_exception=False))
            pieces.close()
            ours.send(None)

    def call(*arguments):
        request = LocalContext.request.get(None)
        seconds = duration(*arguments)
        asked.append((seconds, request and request.headers.get("x-ip-token")))
        if seconds > left.seconds:
            raise gr.Error(f"You have exceeded your free ZeroGPU quota ({seconds}s requested vs. {left.seconds}s left).", title="ZeroGPU quota exceeded")
        if not kept:
            ours, theirs = FORK.Pipe()
            stop = FORK.Event()
            FORK.Process(target=serve, args=(theirs, stop), daemon=True).start()
            kept.append((ours, stop))
        ours, stop = kept[0]
        ours.send(arguments)
        piece = ()
        try:
            while (piece := ours.recv()) is not None:
                if isinstance(piece, gr.Error):
                    raise piece
                yield piece[0]
        finally:
            stop.set()
            while piece is not None:
                piece = ours.recv()

    return call
