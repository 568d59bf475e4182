import Foundation

/// Why webhooks aren't sent to an endpoint any more. An open set: a reader passes on words that it doesn't know.
public struct WebhookDisabledReason: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// It answered 410.
    public static let gone: WebhookDisabledReason = "gone"
    /// It hasn't taken a webhook for days.
    public static let failing: WebhookDisabledReason = "failing"
}

/// Command to email: tell the owner of an endpoint that it gets no webhooks any more.
public struct TellEndpointOwner: MessagePayload {
    public static let type = "shop.email.tell-endpoint-owner.v1"
    public var endpointId: String
    public var url: String
    public var ownerEmail: String
    public var reason: WebhookDisabledReason
    /// When the first of the attempts failed that led to this.
    public var failingSince: Date

    public init(endpointId: String, url: String, ownerEmail: String, reason: WebhookDisabledReason, failingSince: Date)
    {
        self.endpointId = endpointId
        self.url = url
        self.ownerEmail = ownerEmail
        self.reason = reason
        self.failingSince = failingSince
    }
}
