import Foundation

/// What a message carries: an event's or a command's own data, with the type that stands for it on the wire.
public protocol MessagePayload: Codable, Equatable, Sendable {
    /// Reverse-dotted name with a version, such as `shop.order.placed.v1`. A change of meaning is a new version.
    static var type: String { get }
}

/// The context attributes of a CloudEvents 1.0 event, with the documented extensions that the shop uses.
public struct EventAttributes: Codable, Equatable, Sendable {
    public var specversion = "1.0"
    /// Unique for each event, the same for each redelivery: what consumers recognise duplicates by. A UUIDv7.
    public var id: String
    /// Who made it, such as `/services/order`.
    public var source: String
    /// See ``MessagePayload/type``.
    public var type: String
    /// What it is about: the order's id, or the product's.
    public var subject: String
    public var time: Date
    /// Events of others may leave it out, which means the same (CloudEvents JSON format, section 2.3).
    public var datacontenttype: String? = "application/json"
    /// Names the payload's schema, `urn:async-shop:schema:TYPE`.
    public var dataschema: String?
    /// Correlation extension: the same for everything that one request set going.
    public var correlationid: String
    /// Correlation extension: the id of the message that caused this one.
    public var causationid: String?
    /// Distributed Tracing extension: W3C trace context of the span that made it.
    public var traceparent: String?
    public var tracestate: String?
    /// Partitioning extension: messages with the same key are sent in their order.
    public var partitionkey: String?
    /// Expiry Time extension: after this the message has lost its worth and is dropped.
    public var expirytime: Date?
    /// Return Address (Enterprise Integration Patterns): the queue that waits for the reply to a request. CloudEvents
    /// has no documented extension for it; this one is the shop's own.
    public var replyto: String?

    public init(
        id: String, source: String, type: String, subject: String, time: Date, correlationid: String,
        causationid: String? = nil, traceparent: String? = nil, tracestate: String? = nil,
        partitionkey: String? = nil, expirytime: Date? = nil, replyto: String? = nil
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        dataschema = "urn:async-shop:schema:\(type)"
        self.correlationid = correlationid
        self.causationid = causationid
        self.traceparent = traceparent
        self.tracestate = tracestate
        self.partitionkey = partitionkey
        self.expirytime = expirytime
        self.replyto = replyto
    }
}

/// A CloudEvents 1.0 event in the JSON format (structured mode, `application/cloudevents+json`).
public struct CloudEvent<Payload: MessagePayload>: Equatable, Sendable {
    public var attributes: EventAttributes
    public var data: Payload

    public init(attributes: EventAttributes, data: Payload) {
        self.attributes = attributes
        self.data = data
    }

    /// Reads the data of an event whose attributes have been read before.
    /// - Parameter body: the whole event in JSON.
    public init(attributes: EventAttributes, body: String) throws {
        self.init(attributes: attributes, data: try ContractJSON.decode(DataMember.self, from: body).data)
    }

    private struct DataMember: Decodable {
        let data: Payload
    }

    /// The event's id.
    public var id: String { attributes.id }
}

extension CloudEvent: Codable {
    private enum CodingKeys: String, CodingKey { case data }

    public init(from decoder: any Decoder) throws {
        attributes = try EventAttributes(from: decoder)
        data = try decoder.container(keyedBy: CodingKeys.self).decode(Payload.self, forKey: .data)
    }

    public func encode(to encoder: any Encoder) throws {
        try attributes.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(data, forKey: .data)
    }
}

/// JSON as the contracts write it: RFC 3339 times with milliseconds, slashes unescaped, keys in order.
public enum ContractJSON {
    /// Encodes a value; the same value always gives the same text.
    public static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(RFC3339.string(from: date))
        }
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Decodes a value, ignoring fields that it doesn't know.
    public static func decode<Value: Decodable>(_ type: Value.Type = Value.self, from json: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = RFC3339.date(from: text) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no RFC 3339 time")
            }
            return date
        }
        return try decoder.decode(type, from: Data(json.utf8))
    }
}

/// Times as the wire has them (RFC 3339): UTC, three decimals.
public enum RFC3339 {
    /// `2026-03-01T12:00:00.250Z`, rounded to the millisecond.
    public static func string(from date: Date) -> String {
        let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
        // The format style cuts off instead of rounding; a quarter of a millisecond more keeps it on the right side.
        return Date(timeIntervalSince1970: milliseconds / 1000 + 0.000_25)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// Reads a time with or without decimals and with any offset.
    public static func date(from text: String) -> Date? {
        (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))
    }
}
