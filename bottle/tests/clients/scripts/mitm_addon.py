"""Of a real mitmproxy in the tests: where the names of their world are, and what it read in the clear."""
import os

from mitmproxy import http


def server_connect(data):
    data.server.address = ("127.0.0.1", int(os.environ["WORLD_PORT"]))


def request(flow):
    asked = flow.request
    if flow.response is not None:
        return  # answered by mitmproxy itself: a 407
    with open(os.environ["SEEN"], "a") as seen:
        url = f"{asked.scheme}://{asked.host_header}{asked.path}"
        print(asked.method, url, asked.headers.get("authorization", "-"), file=seen)
    if asked.scheme == "http":
        # The world speaks TLS only.
        flow.response = http.Response.make(200, "plain hello from the proxy\n")
