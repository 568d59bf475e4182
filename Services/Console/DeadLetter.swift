import Foundation
import Messaging

/// A message that could not be handled.
struct DeadLetter: Encodable, Equatable, Sendable {
    /// The broker's id of it.
    var messageId: String
    /// The CloudEvent's id, by which the inbox knows it; `nil` if the body isn't one.
    var eventId: String?
    var type: String?
    var correlationId: String?
    /// The order, mostly.
    var subject: String?
    var reason: String
    var sentAt: Date?
    var body: String
    var attributes: [String: String]

    /// A consumer says why in an attribute. Without one the broker moved the message, because nobody acknowledged it.
    static let silentReason = "Delivered again and again without an answer: its consumer was killed, or hangs."

    init(_ examined: ExaminedMessage) {
        let message = examined.message
        let event = Event(of: message.body)
        messageId = message.id
        eventId = event?.id
        type = event?.type ?? message.attributes["type"]
        correlationId = event?.correlationid
        subject = event?.subject
        reason = message.attributes["reason"] ?? Self.silentReason
        sentAt = examined.sentAt
        body = message.body
        attributes = message.attributes
    }

    /// The attributes of a CloudEvent that matter here.
    struct Event: Decodable, Equatable {
        var id: String?
        var type: String?
        var correlationid: String?
        var subject: String?

        init?(of body: String) {
            guard let event = try? JSONDecoder().decode(Self.self, from: Data(body.utf8)) else { return nil }
            self = event
        }
    }
}

/// What is sent back to the queue from which a dead letter came. It keeps the id under which its consumer's inbox
/// notes it: whoever sends it back twice, in a hurry or after a crash in between, has its effect once.
struct Redelivery: Equatable, Sendable {
    var message: OutboundMessage

    /// The edited body is of no use; the sentence says why.
    struct Refused: Error, Equatable {
        let reason: String
    }

    /// - Parameter edited: the new body; `nil` sends it as it is.
    init(of letter: DeadLetter, edited: String?) throws(Refused) {
        var attributes = letter.attributes
        // It was the reason of this failure; the next one has its own.
        attributes["reason"] = nil
        guard let edited, edited != letter.body else {
            message = OutboundMessage(body: letter.body, attributes: attributes)
            return
        }
        guard let event = DeadLetter.Event(of: edited), let id = event.id, let type = event.type else {
            throw Refused(reason: "The edited body must be a CloudEvent in JSON, with 'id' and 'type'.")
        }
        if let original = letter.eventId, original != id {
            throw Refused(
                reason: "The id must stay '\(original)': it is how the consumer sees that it has the message already.")
        }
        attributes["type"] = type
        message = OutboundMessage(body: edited, attributes: attributes)
    }
}
