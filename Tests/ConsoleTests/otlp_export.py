"""Exports spans as other people's code does: by OpenTelemetry's SDK in Protocol Buffers, and by its generated messages
in JSON. Prints the ids of the traces, one a line: first the SDK's, plain and packed by gzip, then the one in JSON."""

import base64
import gzip
import json
import os
import sys
import urllib.error
import urllib.request

from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

endpoint = sys.argv[1] + "/v1/traces"


def by_sdk(compression, correlation):
    provider = TracerProvider(resource=Resource.create({"service.name": "python"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, compression=compression)))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer:
        outer.set_attributes({
            "shop.correlation_id": correlation, "text": "Größe ✓", "truth": True, "whole": -7, "broken": 0.5,
            "list": ["a", "b"],
        })
        with tracer.start_as_current_span("inner", kind=SpanKind.CONSUMER) as inner:
            inner.add_event("retry", {"reason": "<script>"})
            inner.set_status(StatusCode.ERROR, "it broke")
    provider.shutdown()
    return format(outer.get_span_context().trace_id, "032x")


def in_json():
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "json"
    span = resource.scope_spans.add().spans.add(
        trace_id=os.urandom(16), span_id=os.urandom(8), name="in JSON", kind=Span.SPAN_KIND_PRODUCER,
        start_time_unix_nano=1_800_000_000_123_456_789, end_time_unix_nano=1_800_000_000_223_456_789)
    span.attributes.add(key="whole").value.int_value = 2**53 + 1
    # A span without an id is of no use, and must not cost the others.
    resource.scope_spans[0].spans.add(name="nameless")
    document = json_format.MessageToDict(request)
    for one in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId"):
            if name in one:
                one[name] = base64.b64decode(one[name]).hex()
        # OTLP has numbers where Protocol Buffers' own mapping has names.
        if "kind" in one:
            one["kind"] = Span.SpanKind.Value(one["kind"])
    post = urllib.request.Request(
        endpoint, json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(post) as answer:
        assert json.load(answer)["partialSuccess"]["rejectedSpans"] == "1"
    return span.trace_id.hex()


def rejected_in_protobuf():
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="nameless")
    post = urllib.request.Request(
        endpoint, request.SerializeToString(), {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(post) as answer:
        parsed = ExportTraceServiceResponse.FromString(answer.read())
        assert parsed.partial_success.rejected_spans == 1, parsed


def status_of(packed):
    post = urllib.request.Request(
        endpoint, packed, {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(post) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def packed_in_many_ways():
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="nameless")
    body = request.SerializeToString()
    packed = gzip.compress(body)
    assert status_of(packed) == 200
    # Members one after another are one body, as `cat` makes of two files.
    assert status_of(gzip.compress(body[:3]) + gzip.compress(b"") + gzip.compress(body[3:])) == 200
    for damaged in (b"", body, packed[:-1], packed[:-4] + b"sum!", packed + b"more"):
        assert status_of(damaged) == 400, damaged
    # 200 KB that stand for 200 MB.
    assert status_of(gzip.compress(bytes(200_000_000))) == 413
    assert status_of(gzip.compress(bytes(8 << 20))) == 400
    assert status_of(gzip.compress(bytes((8 << 20) + 1))) == 413


print(by_sdk(Compression.NoCompression, "from-python"))
print(by_sdk(Compression.Gzip, "packed-by-python"))
print(in_json())
rejected_in_protobuf()
packed_in_many_ways()
