#!/usr/bin/python3
"""Phones that watch one extension, for `./dev bench p`: watchers.py SIP-PORT COUNT. Subscribes COUNT times (20 accounts), says "ready",
answers every NOTIFY, and for each line on standard input tells as JSON what came since the last one: how many, over how long."""
import hashlib
import json
import os
import re
import select
import socket
import sys
import time

os.nice(19)  # beside the generator of calls, whose clock is looked at
HOST = "127.0.0.1"
port, count = int(sys.argv[1]), int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
s.bind((HOST, 0))
s.connect((HOST, port))
own = s.getsockname()[1]
told, first, last = 0, 0.0, 0.0


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def subscribe(i, cseq, more=""):
    user = 1000 + i % 20
    s.send((f"SUBSCRIBE sip:1001@{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{own};branch=z9hG4bK{i}-{cseq}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{user}@{HOST}>;tag=w{i}\r\nTo: <sip:1001@{HOST}>\r\nCall-ID: watcher{i}\r\nCSeq: {cseq} SUBSCRIBE\r\n"
            f"Contact: <sip:{user}@{HOST}:{own}>\r\nEvent: dialog\r\nExpires: 3000\r\n{more}Content-Length: 0\r\n\r\n").encode())


def answer_challenge(text, i):
    nonce, realm = re.search('nonce="([^"]+)"', text).group(1), re.search('realm="([^"]+)"', text).group(1)
    user, uri = 1000 + i % 20, f"sip:1001@{HOST}"
    response = md5(f"{md5(f'{user}:{realm}:benchword')}:{nonce}:00000001:c:auth:{md5(f'SUBSCRIBE:{uri}')}")
    subscribe(i, 2, f'Proxy-Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
                    f'algorithm=MD5, cnonce="c", qop=auth, nc=00000001\r\n')


def take(data):
    """True: a subscription was accepted."""
    global told, first, last
    if data.startswith(b"NOTIFY"):
        now = time.monotonic()
        first, last, told = first or now, now, told + 1
        head = data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        s.send(b"\r\n".join([b"SIP/2.0 200 OK"] + [line for line in head if line[:4] in (b"Via:", b"From", b"To: ", b"Call", b"CSeq")])
               + b"\r\nContent-Length: 0\r\n\r\n")
        return False
    text = data.decode()
    if text.startswith("SIP/2.0 407"):
        answer_challenge(text, int(re.search(r"Call-ID: watcher(\d+)", text).group(1)))
    return text.startswith("SIP/2.0 202")


accepted = begun = 0
while accepted < count:
    while begun < count and begun - accepted < 50:
        subscribe(begun, 1)
        begun += 1
    assert select.select([s], [], [], 10)[0], f"{accepted} of {begun} accepted"
    accepted += take(s.recv(65536))
while select.select([s], [], [], 1)[0]:
    take(s.recv(65536))
told, first = 0, 0.0
print("ready", flush=True)
while True:
    ready = select.select([s, sys.stdin], [], [])[0]
    if s in ready:
        take(s.recv(65536))
    elif sys.stdin in ready:
        if not sys.stdin.readline():
            break
        print(json.dumps({"told": told, "seconds": last - first}), flush=True)
        told, first = 0, 0.0
