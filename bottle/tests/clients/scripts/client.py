"""client.py LIBRARY URL...: asks each URL by this library and prints status and body, whatever the status."""
import asyncio, sys

library, urls = sys.argv[1], sys.argv[2:]


def show(status, text):
    print(status, text.strip(), flush=True)


def by_urllib(url):
    import urllib.request, urllib.error
    try:
        answer = urllib.request.urlopen(url)
    except urllib.error.HTTPError as error:
        answer = error
    show(answer.status, answer.read().decode())


def by_urllib_strict(url):
    import ssl, urllib.request, urllib.error
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        answer = urllib.request.urlopen(url, context=context)
    except urllib.error.HTTPError as error:
        answer = error
    show(answer.status, answer.read().decode())


def by_http_client(url):
    import http.client
    from urllib.parse import urlsplit
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    show(answer.status, answer.read().decode())


def by_urllib3(url):
    import urllib3
    answer = urllib3.PoolManager().request("GET", url)
    show(answer.status, answer.data.decode())


def by_requests(url):
    import requests
    answer = requests.get(url)
    show(answer.status_code, answer.text)


def by_httpx(url):
    import httpx
    with httpx.Client(http2=True) as client:
        answer = client.get(url)
        show(answer.status_code, f"{answer.http_version} {answer.text}")


def by_aiohttp(url, trust_env=False):
    import aiohttp

    async def ask():
        async with aiohttp.ClientSession(trust_env=trust_env) as session, session.get(url) as answer:
            show(answer.status, await answer.text())

    asyncio.run(ask())


def by_aiohttp_trust_env(url):
    by_aiohttp(url, True)


def by_websockets(url):
    # Not its `sync` client: that reads and writes one TLS connection from two threads at once, which the `ssl` of this Python
    # does not survive every time (about three handshakes in a thousand hang or break off).
    import websockets.asyncio.client, websockets.exceptions

    async def talk():
        try:
            async with websockets.asyncio.client.connect(url.replace("https:", "wss:")) as socket:
                await socket.send("hello over websocket")
                show(101, await socket.recv())
        except websockets.exceptions.InvalidStatus as error:
            show(error.response.status_code, (error.response.body or b"").decode())

    asyncio.run(talk())


def by_grpc(url):
    import grpc
    from urllib.parse import urlsplit
    host = urlsplit(url).hostname
    with grpc.secure_channel(f"{host}:443", grpc.ssl_channel_credentials()) as channel:
        say = channel.unary_unary("/echo.Echo/Say")
        try:
            answer = say(b"hello over grpc", timeout=20, metadata=(("x-client", "grpc"),))
            show(0, answer.decode())
        except grpc.RpcError as error:
            show(error.code().name, error.details())


for url in urls:
    globals()["by_" + library](url)
