import Contracts
import Foundation
import Logging
import Messaging
import Outbox
import Persistence
import ServiceKit

/// The effect of a mail that was written: it is to be delivered.
struct DeliverMail: Effect {
    static let kind = "deliver_mail"
    var messageID: MailID
}

/// Writes a mail for each event that customers hear of, and for each command to write one: the mail, and the wish to have it delivered, are rows of the
/// transaction that notes the event.
struct MailWriter: Sendable {
    let store: MailStore
    let templates: MailTemplates
    let effects: Effects
    let logger: Logger

    func register(on handlers: inout MessageHandlers) {
        handlers.on(OrderConfirmed.self) {
            try write(Letter($0.data), to: $0.data.customer.email, $0.attributes, in: $1)
        }
        handlers.on(OrderCancelled.self) {
            try write(Letter($0.data), to: $0.data.customer.email, $0.attributes, in: $1)
        }
        handlers.on(OrderRefunded.self) {
            try write(Letter($0.data), to: $0.data.customer.email, $0.attributes, in: $1)
        }
        handlers.on(TellEndpointOwner.self) {
            try write(Letter($0.data), to: $0.data.ownerEmail, $0.attributes, in: $1)
        }
    }

    private func write(
        _ letter: Letter, to address: String, _ event: EventAttributes, in transaction: any Transaction
    ) throws -> [OutgoingMessage] {
        guard let id = MailID(eventID: event.id) else {
            throw Unprocessable("The event's id can't name a mail: it must be 1 to 100 letters, digits, - and _.")
        }
        let (subject, text) = templates.render(letter)
        var mail = Mail(
            id: id, orderID: letter.orderID, recipient: address, kind: letter.kind, subject: subject, text: text,
            correlationID: event.correlationid, writtenAt: event.time)
        let isAddress = EmailAddress(address) != nil
        if !isAddress {
            mail.status = .refused(at: Date(), reason: "The recipient's address isn't one that mail can be sent to.")
        }
        guard try store.add(mail, in: transaction) else { return [] }
        if isAddress {
            try effects.add(
                DeliverMail(messageID: id), key: id.rawValue, context: event.messageContext, in: transaction)
        } else {
            transaction.onCommit { [logger, mail] in logger.refused(mail) }
        }
        return []
    }
}

/// Delivers the mails that were written, outside any transaction.
struct MailCarrier: Sendable {
    let store: MailStore
    let transport: any MailTransport
    let from: EmailAddress
    let readiness: Readiness
    let logger: Logger

    /// How many mails are handed over at once; mail servers don't like many connections from one client.
    static let concurrency = 4

    func register<WaitClock>(on sender: inout EffectSender<WaitClock>) {
        report(true, "no mail was sent yet")
        sender.on(DeliverMail.self) { effect, _ in
            try await deliver(effect.messageID)
        } record: { effect, outcome, _, transaction in
            try store.settle(effect.messageID, outcome, at: Date(), in: transaction)
            return []
        }
    }

    private func deliver(_ id: MailID) async throws -> DeliveryOutcome {
        guard let mail = try await store.mail(id), let recipient = EmailAddress(mail.recipient) else {
            throw MissingMail(id: id)
        }
        let message = MailMessage(
            id: mail.id, from: from, to: recipient, date: mail.writtenAt, subject: mail.subject, text: mail.text,
            correlationID: mail.correlationID)
        do {
            let outcome = try await transport.deliver(message)
            report(true, "the last mail was taken")
            log(outcome, mail)
            return outcome
        } catch {
            // An attempt that was cut short on the way out says nothing about the other side.
            if !Task.isCancelled { report(false, "\(error)") }
            throw error
        }
    }

    /// Mails can wait, so this check doesn't keep requests away.
    private func report(_ isReady: Bool, _ detail: String) {
        readiness.set(transport.name, ready: isReady, detail: detail, required: false)
    }

    private func log(_ outcome: DeliveryOutcome, _ mail: Mail) {
        switch outcome {
        case .delivered: logger.info("delivered a mail", metadata: mail.metadata)
        case .refused: logger.refused(mail)
        }
    }
}

extension Mail {
    /// What a log may know of it.
    fileprivate var metadata: Logger.Metadata {
        ["mail_id": "\(id)", "order_id": "\(orderID?.rawValue ?? "none")", "kind": "\(kind.rawValue)"]
    }
}

extension Logger {
    fileprivate func refused(_ mail: Mail) {
        warning("a mail was refused; GET /mails/{mail_id} has the reason", metadata: mail.metadata)
    }
}

/// The effect's row and the mail's row are written together, so only someone else can have taken the mail away.
private struct MissingMail: Error, CustomStringConvertible {
    let id: MailID
    var description: String { "The mail \(id) isn't in the database any more." }
}
