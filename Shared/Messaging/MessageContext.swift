import Contracts
import Telemetry
import Tracing

/// What ties a message to what led to it: carried from the request or the message at hand into each message that
/// comes of it.
public struct MessageContext: Codable, Equatable, Sendable {
    public var correlationID: String
    /// The message that caused this one; `nil` when it was an HTTP request.
    public var causationID: String?
    public var traceparent: String?
    public var tracestate: String?

    public init(
        correlationID: String, causationID: String? = nil, traceparent: String? = nil, tracestate: String? = nil
    ) {
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
        self.tracestate = tracestate
    }

    /// The context that is being worked in now. A message without any gets a new correlation id.
    public static func current(causedBy attributes: EventAttributes? = nil) -> MessageContext {
        let context = ServiceContext.current ?? .topLevel
        return MessageContext(
            correlationID: attributes?.correlationid ?? context.correlationID ?? CorrelationID.make(),
            causationID: attributes?.id, traceparent: context.spanContext?.traceparent,
            tracestate: context.spanContext?.tracestate)
    }

    /// The context to go on working in, in another task or after a restart.
    public var serviceContext: ServiceContext {
        var context = ServiceContext.topLevel
        context.correlationID = correlationID
        context.spanContext = traceparent.flatMap { SpanContext(traceparent: $0, tracestate: tracestate) }
        return context
    }
}

extension EventAttributes {
    /// The context in which the event was made.
    public var messageContext: MessageContext {
        MessageContext(
            correlationID: correlationid, causationID: id, traceparent: traceparent, tracestate: tracestate)
    }
}
