"""Jobs in this process, one after the other, in place of workers: nothing to start, and what they compile is shared."""

from concurrent.futures import Executor, Future


class SerialExecutor(Executor):
    def submit(self, function, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False, kill_workers=False):
        pass
