import Contracts
import Foundation

/// One mail, to a customer or another who has to do with the shop: what it says and what has become of it.
struct Mail: Equatable, Sendable {
    let id: MailID
    /// The order that it is about, if any.
    let orderID: OrderID?
    /// As the event had it; it may be no address at all, and then the mail is refused without being sent.
    let recipient: String
    let kind: MailKind
    let subject: String
    /// Plain text; lines end with a line feed.
    let text: String
    let correlationID: String
    /// The time of the event, so that the same event gives the same mail, byte by byte.
    let writtenAt: Date
    var status = MailStatus.waiting
}

/// What has become of a mail.
enum MailStatus: Equatable, Sendable {
    case waiting
    case delivered(at: Date)
    case refused(at: Date, reason: String)
}

/// What can come of handing a mail over. Everything else is an error, after which it is tried again.
enum DeliveryOutcome: Equatable, Sendable {
    /// The other side has it on its disk.
    case delivered
    /// The other side will never take it.
    case refused(reason: String)
}

/// The reasons for which the shop writes to somebody.
enum MailKind: String, CaseIterable, Sendable {
    case orderConfirmed = "order_confirmed"
    case orderCancelled = "order_cancelled"
    case orderRefunded = "order_refunded"
    case webhookDisabled = "webhook_disabled"
}

/// A `Message-ID` (RFC 5322 section 3.6.4) without its angle brackets. It is derived from the event that the mail tells
/// of, so that whoever gets the mail twice can see that it is one.
struct MailID: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }

    private static let domain = "@async-shop"

    /// - Returns: `nil` if the id could not stand in a `Message-ID` or in a file's name.
    init?(eventID: String) {
        let isSafe = eventID.utf8.allSatisfy {
            $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
        guard isSafe, (1...100).contains(eventID.utf8.count) else { return nil }
        rawValue = eventID + Self.domain
    }

    /// The event's id.
    var eventID: String { String(rawValue.prefix { $0 != "@" }) }
}

/// An address that can stand in a header and in an SMTP command as it is: RFC 5321's `Mailbox` without quoted local
/// parts, address literals and letters beyond ASCII.
struct EmailAddress: Equatable, Sendable, CustomStringConvertible {
    let description: String

    /// - Returns: `nil` if the text is no such address.
    init?(_ text: String) {
        guard text.utf8.count <= 254, let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let local = text.utf8[..<at]
        let labels = text.utf8[text.utf8.index(after: at)...].split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...64).contains(local.count), local.allSatisfy(Self.isLocal),
            labels.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.isDomain) })
        else { return nil }
        description = text
    }

    private static func isLocal(_ byte: UInt8) -> Bool {
        byte.isLetterOrDigit || ".!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    private static func isDomain(_ byte: UInt8) -> Bool {
        byte.isLetterOrDigit || byte == UInt8(ascii: "-")
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
