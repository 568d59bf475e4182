import ServiceKit
import Webhooks

/// What the environment says about webhooks to merchants.
struct WebhookSettings: Sendable {
    let addresses: AddressGuard
    let timeout: Duration
    let patience: WebhookPatience

    init(_ configuration: ServiceConfiguration) throws(ConfigurationError) {
        let word = try configuration.string("WEBHOOK_ALLOW_PRIVATE_ADDRESSES", default: "none")
        guard let exception = AddressGuard.Exception(rawValue: word) else {
            let words = AddressGuard.Exception.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError("WEBHOOK_ALLOW_PRIVATE_ADDRESSES must be one of \(words), not '\(word)'.")
        }
        addresses = AddressGuard(allowing: exception)
        timeout = try configuration.milliseconds("WEBHOOK_TIMEOUT_MILLISECONDS", default: 10_000, in: 1...60_000)
        patience = WebhookPatience(
            schedule: .standard.scaled(by: try configuration.double("WEBHOOK_RETRY_SCALE", default: 1, in: 0...1)),
            disableAfter: try configuration.seconds(
                "WEBHOOK_DISABLE_AFTER_SECONDS", default: 432_000, in: 1...31_536_000))
    }

    static let variables = [
        EnvironmentVariable(
            "WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "webhooks to other addresses than the internet's: none, loopback or all",
            default: "none"),
        EnvironmentVariable(
            "WEBHOOK_TIMEOUT_MILLISECONDS", "how long an endpoint may take to answer", default: "10000"),
        EnvironmentVariable("WEBHOOK_RETRY_SCALE", "multiplies the waits of the retry schedule, 0 to 1", default: "1"),
        EnvironmentVariable(
            "WEBHOOK_DISABLE_AFTER_SECONDS", "an endpoint that fails this long is disabled", default: "432000"),
    ]
}
