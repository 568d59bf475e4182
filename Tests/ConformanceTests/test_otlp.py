"""What is exported as OTLP/HTTP, read by OpenTelemetry's own definitions."""

import http.client
import http.server
import queue
import threading

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processes import Broker
from shop_processes import Shop


class Receiver:
    """Takes what is sent to /v1/traces."""

    def __init__(self):
        self.requests = requests = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.put((self.path, self.headers["Content-Type"], body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self, wanted):
        """Waits until `wanted` finds a span, and returns all spans that came until then, with the service of each."""
        services, spans = {}, []
        while not any(wanted(span) for span in spans):
            path, content_type, body = self.requests.get(timeout=20)
            assert (path, content_type) == ("/v1/traces", "application/x-protobuf")
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in part.scope_spans:
                    spans += scope.spans
                    services |= {span.span_id: attributes(part.resource)["service.name"] for span in scope.spans}
        return services, spans


def attributes(holder):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in holder.attributes}


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()


def test_spans_are_what_the_definitions_say(receiver):
    shop = Shop(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    try:
        shop.order("ada")
        is_request = lambda span: span.kind == Span.SPAN_KIND_SERVER and attributes(span).get("http.route") == "/orders"
        services, spans = receiver.spans(is_request)
        server = next(span for span in spans if is_request(span))
        commit = next(span for span in spans if span.name == "COMMIT" and span.parent_span_id == server.span_id)
        assert services[server.span_id] == services[commit.span_id] == "order"
        assert commit.kind == Span.SPAN_KIND_CLIENT
        assert attributes(commit)["db.system.name"] == "sqlite"
        assert server.trace_id == commit.trace_id and len(server.trace_id) == 16 and len(server.span_id) == 8
        assert server.start_time_unix_nano <= commit.start_time_unix_nano
        assert commit.end_time_unix_nano <= server.end_time_unix_nano
        assert attributes(server)["http.response.status_code"] == 202
        assert all(attributes(span)["shop.correlation_id"] for span in spans)
    finally:
        shop.stop()


def test_a_ratio_of_none_exports_nothing_but_what_the_caller_records(receiver):
    broker = Broker(
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0",
    )
    try:
        broker.client("sqs").create_queue(QueueName="unseen")
        trace = "0af7651916cd43dd8448eb211c80319c"
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        connection = http.client.HTTPConnection("127.0.0.1", broker.port)
        connection.request("GET", "/openapi.yaml", headers=headers)
        assert connection.getresponse().status == 200
        _, spans = receiver.spans(lambda span: True)
        assert {span.trace_id.hex() for span in spans} == {trace}
    finally:
        broker.stop()
