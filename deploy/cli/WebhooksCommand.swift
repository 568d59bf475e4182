import ArgumentParser

/// `shop webhooks …`: everything that a merchant does with webhooks.
struct WebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks",
        abstract: "Receives webhooks, and manages the endpoints that they are sent to.",
        discussion: "Exit status: 0 done; 1 it couldn't be done; 2 there is no such endpoint or delivery.",
        subcommands: [
            ListenCommand.self, AddEndpointCommand.self, ListEndpointsCommand.self, EndpointLogCommand.self,
            PingEndpointCommand.self, PauseEndpointCommand.self, ResumeEndpointCommand.self,
            RotateSecretCommand.self, RedeliverCommand.self, RemoveEndpointCommand.self,
        ])
}
