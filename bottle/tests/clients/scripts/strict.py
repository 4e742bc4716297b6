"""Through a proxy to a host, verified as Python 3.13 does by default: strict.py PROXY_PORT HOST CAFILE"""
import socket
import ssl
import sys

port, host, cafile = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=cafile)
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
raw = socket.create_connection(("127.0.0.1", port), timeout=20)
raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += raw.recv(1)
with context.wrap_socket(raw, server_hostname=host) as stream:
    print("verified by", stream.version())
    sys.stdout.write(ssl.DER_cert_to_PEM_cert(stream.getpeercert(True)))
