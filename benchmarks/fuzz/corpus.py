"""
What is mutated: valid streams, requests and configurations, and their words.
"""

from __future__ import annotations

from arbstr.upstream.sse import HOLD_LIMIT
from tests.upstream.test_encode import DELICATE
from tests.upstream.test_stream import CORPORA, STOP, WORDS, chunk

STREAMS = (
    *CORPORA.values(),
    *WORDS,
    chunk({"content": "x" * HOLD_LIMIT}) + STOP,
)
STREAM_TOKENS = (
    *WORDS,
    *(b"data:", b"data", b"event: ping\n\n", b"retry: 1\n", b":\n\n", b"\r\n", b"\r"),
    *(b"data: [DONE]\n\n", b" [DONE] ", b'"finish_reason":"error"', b'"error":'),
    *(b'"usage":', b"null", b"[]", b"{", b"}", b'"', b"\\u", b"\xf0\x9f\x98\x80"),
)

_MESSAGES = '"messages":[{"role":"user","content":"Hi"}]'
_MINIMAL = f'{{"model":"m",{_MESSAGES}}}'
_RICH = (
    '{"model":"gpt-4o" , "messages" : [{"role":"system","content":null},'
    '{"role":"user","content":[{"type":"text","text":"caf\\u00e9 \\ud83d\\ude00"},'
    '{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}],\n'
    '"stream":true,"stream_options":{"include_usage":false,"x":[1,2.50,1e3]},'
    '"n":2,"max_tokens":null,"max_completion_tokens":512,"tools":[{"type":"function",'
    '"function":{"name":"f","parameters":{"type":"object","properties":{}}}}],'
    '"temperature":0.10,"seed":12345678901234567890,"user":"ü"}'
)
REQUESTS = tuple(
    text.encode()
    for text in (
        _MINIMAL,
        f'{{"model":"m",{_MESSAGES},"stream":true}}',
        f'{{"stream_options":{{"include_usage":true}},"model":"m","stream":true,'
        f"{_MESSAGES}}}",
        f'{{"model":"m",{_MESSAGES},{",".join(DELICATE)}}}',
        f'{{"model":"m","max_tokens":5,"max_completion_tokens":7,{_MESSAGES}}}',
        _RICH,
    )
)
REQUEST_TOKENS = (
    *(b'"model":', b'"messages":', b'"stream":true', b'"stream_options":null', b'"n":'),
    *(b'"max_tokens":', b'"max_completion_tokens":', b'"include_usage":true', b"null"),
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"[" * 70, b'{"a":' * 70, b"true"),
    *(
        b"false",
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"\\ud800",
        b"\\u0000",
        b"\xed\xa0\x80",
    ),
    *(b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b"//", b'"a":1,', b'"role":"user"', b"{}"),
)

CONFIGURATIONS = tuple(
    text.encode()
    for text in (
        "providers: [{name: a, kind: mock, input_rate: 1, output_rate: 2}]\n",
        "providers:\n- name: a\n  url: https://a.example/v1\n  api_key: ${KEY}\n"
        "  input_rate: 1\n  output_rate: 2\n  models: [m, {name: n, upstream: o/n}]\n",
        "server: {listen: '127.0.0.1:80', auth_token: ${A:-x}}\n"
        "providers: [{name: a, tier: local, url: 'http://b', models: m}]\n",
        "policies: {rules: [{name: p, keywords: [k], strategy: cheapest}]}\n"
        "providers: [{name: a, kind: mock, input_rate: 1, output_rate: 2}]\n",
        "logging: &l {level: warn}\ndatabase: {path: ./a.db, keep_days: 1.5}\n"
        "providers: [{<<: {name: a}, kind: mock, input_rate: 0, output_rate: 0}]\n",
    )
)
CONFIGURATION_TOKENS = tuple(
    text.encode()
    for text in (
        *"[]{}:,-#&*!|>'\"%@`?\n\t ~=\0\x85\ufeff",
        *("${", "}", "&a ", "*a", "*l", "<<: ", "- ", "!!int ", "!!binary ", "? "),
        *("---\n", "...\n", "%YAML 9.9\n", "0x", "1:1", '"\\ud800"', ".nan", "1e400"),
        *("true", "null", "on", "name: ", "providers:\n", "server: ", "url: ", "\r"),
        *("models: ", "timeouts: {idle: 0}", "circuit: ", "retry: ", "2001-01-01"),
        *("tcp:80:interface=", "unix:", "http://", "[::1]", "user:pw@", "${A:-"),
    )
)
