import Contracts
import Foundation
import Mustache

/// What a mail has to say, before it is put into words.
struct Letter: Sendable {
    let kind: MailKind
    var orderID: OrderID?
    var total: Money?
    var lines: [OrderLine] = []
    var reason: CancellationReason?
    var endpoint: TellEndpointOwner?

    init(_ order: OrderConfirmed) {
        kind = .orderConfirmed
        orderID = order.orderId
        total = order.total
        lines = order.items
    }

    init(_ order: OrderCancelled) {
        kind = .orderCancelled
        orderID = order.orderId
        total = order.total
        reason = order.reason
    }

    init(_ order: OrderRefunded) {
        kind = .orderRefunded
        orderID = order.orderId
        total = order.total
    }

    init(_ endpoint: TellEndpointOwner) {
        kind = .webhookDisabled
        self.endpoint = endpoint
    }
}

/// The words for each kind of mail: `templates/KIND.mustache`, whose first line is the subject.
struct MailTemplates: Sendable {
    private let confirmed: MustacheTemplate
    private let cancelled: MustacheTemplate
    private let refunded: MustacheTemplate
    private let webhookDisabled: MustacheTemplate

    init() throws {
        confirmed = try Self.parse(PackageResources.order_confirmed_mustache)
        cancelled = try Self.parse(PackageResources.order_cancelled_mustache)
        refunded = try Self.parse(PackageResources.order_refunded_mustache)
        webhookDisabled = try Self.parse(PackageResources.webhook_disabled_mustache)
    }

    private static func parse(_ resource: [UInt8]) throws -> MustacheTemplate {
        try MustacheTemplate(string: String(decoding: resource, as: UTF8.self))
    }

    func render(_ letter: Letter) -> (subject: String, text: String) {
        let template =
            switch letter.kind {
            case .orderConfirmed: confirmed
            case .orderCancelled: cancelled
            case .orderRefunded: refunded
            case .webhookDisabled: webhookDisabled
            }
        // No value holds a line break, so the first one is the template's.
        let parts = template.render(Values(letter)).split(
            separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let text = parts.dropFirst().joined().drop { $0.isNewline }
        return (String(parts.first ?? ""), String(text))
    }

    /// What the templates can name.
    private struct Values {
        let orderId: String
        let total: String
        let lines: [Line]
        let reason: String
        let endpointId: String
        let url: String
        let failingSince: String

        struct Line {
            let sku: String
            let quantity: Int
            let price: String
        }

        init(_ letter: Letter) {
            orderId = letter.orderID?.rawValue.onOneLine ?? ""
            total = letter.total?.description.onOneLine ?? ""
            lines = letter.lines.map {
                Line(sku: $0.sku.rawValue.onOneLine, quantity: $0.quantity, price: $0.unitPrice.description.onOneLine)
            }
            reason = letter.reason?.inWords ?? letter.endpoint?.reason.inWords ?? ""
            endpointId = letter.endpoint?.endpointId.onOneLine ?? ""
            url = letter.endpoint?.url.onOneLine ?? ""
            failingSince = letter.endpoint.map { RFC3339.string(from: $0.failingSince) } ?? ""
        }
    }
}

extension CancellationReason {
    /// The end of a sentence that begins with "it was cancelled, because".
    fileprivate var inWords: String {
        switch self {
        case .outOfStock: "we no longer have all of its products in stock"
        case .paymentDeclined: "your payment was declined"
        case .paymentTimeout: "your payment did not arrive in time"
        case .customerRequest: "you asked us to"
        default:
            // A word that is newer than this program still tells the customer more than none.
            "of this reason: \(rawValue.onOneLine.replacingOccurrences(of: "_", with: " "))"
        }
    }
}

extension WebhookDisabledReason {
    /// The end of a sentence that begins with "we no longer send webhooks, because".
    fileprivate var inWords: String {
        switch self {
        case .gone: "it has answered 410 Gone, which asks us to stop"
        case .failing: "every attempt has failed for days"
        default: "of this reason: \(rawValue.onOneLine.replacingOccurrences(of: "_", with: " "))"
        }
    }
}

extension String {
    /// Without line breaks and whatever else could make a value look like something that the shop has written, and no
    /// longer than a line should be.
    fileprivate var onOneLine: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars.prefix(100) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: text.append(" ")
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}
