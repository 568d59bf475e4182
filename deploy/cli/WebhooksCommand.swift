import ArgumentParser

/// `shop webhooks …`: everything that a merchant does with webhooks.
struct WebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks",
        abstract: "Receives webhooks, and manages the endpoints that they are sent to.",
        subcommands: [
            ListenCommand.self, AddEndpointCommand.self, ListEndpointsCommand.self, EndpointLogCommand.self,
            PingEndpointCommand.self, PauseEndpointCommand.self, ResumeEndpointCommand.self,
            RotateSecretCommand.self, RedeliverCommand.self, RemoveEndpointCommand.self,
        ])
}
