import Logging
import Testing

@testable import ServiceKit

@Suite("Configuration")
struct ServiceConfigurationTests {
    private func configuration(_ environment: [String: String]) throws -> ServiceConfiguration {
        try ServiceConfiguration(service: "order", defaultPort: 8081, environment: environment)
    }

    /// What a wrong setting is answered with.
    private func message(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ConfigurationError)?.message
        }
    }

    @Test("has sensible defaults")
    func defaults() throws {
        let configuration = try self.configuration([:])
        #expect(configuration.host == "127.0.0.1")
        #expect(configuration.port == 8081)
        #expect(configuration.logLevel == .info)
        #expect(configuration.databaseURL == "sqlite:order.sqlite")
        #expect(configuration.otlpEndpoint == nil)
        #expect(configuration.sampler == .standard)
        #expect(configuration.telemetryName == "order")
    }

    @Test("reads what is set, and takes an empty variable for one that isn't")
    func reads() throws {
        let configuration = try self.configuration([
            "HOST": "0.0.0.0", "PORT": "0", "LOG_LEVEL": "DEBUG", "DATABASE_URL": "sqlite:/tmp/x",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SERVICE_NAME": " ", "TRUTH": "TRUE",
            "RATIO": "0.25", "WAIT_SECONDS": "7", "WAIT_MILLISECONDS": "1500", "BROKER_URL": "http://broker:4566/x",
        ])
        #expect(configuration.host == "0.0.0.0")
        #expect(configuration.port == 0)
        #expect(configuration.logLevel == .debug)
        #expect(configuration.otlpEndpoint == "http://collector:4318")
        #expect(configuration.telemetryName == "order")
        #expect(try configuration.bool("TRUTH"))
        #expect(try configuration.double("RATIO") == 0.25)
        #expect(try configuration.seconds("WAIT_SECONDS") == .seconds(7))
        #expect(try configuration.milliseconds("WAIT_MILLISECONDS") == .milliseconds(1500))
        #expect(try configuration.url("BROKER_URL").absoluteString == "http://broker:4566/x")
        #expect(try configuration.url("OTHER_URL", default: "http://127.0.0.1:1").port == 1)
        #expect(configuration.optional("SMTP_URL") == nil)
    }

    @Test(
        "names the variable that is wrong",
        arguments: [
            (["PORT": "http"], "PORT must be a whole number from 0 to 65535, not 'http'."),
            (
                ["OTEL_TRACES_SAMPLER": "some"],
                "OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio, parentbased_always_on, "
                    + "parentbased_always_off, parentbased_traceidratio, not 'some'."
            ),
            (["OTEL_TRACES_SAMPLER_ARG": "2"], "OTEL_TRACES_SAMPLER_ARG must be a number from 0.0 to 1.0, not '2'."),
            (["PORT": "70000"], "PORT must be a whole number from 0 to 65535, not '70000'."),
            (
                ["LOG_LEVEL": "loud"],
                "LOG_LEVEL must be one of trace, debug, info, notice, warning, error, critical, not 'loud'."
            ),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"],
                "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL like http://127.0.0.1:4566."
            ),
        ])
    func wrong(environment: [String: String], expected: String) {
        #expect(self.message { _ = try self.configuration(environment) } == expected)
    }

    @Test("names the service's own variable that is wrong or missing, and never a secret's value")
    func ownVariables() throws {
        let configuration = try self.configuration([
            "PAYMENT_TIMEOUT_SECONDS": "abc", "COUNT": "-1", "TRUTH": "yes", "URL": "ftp://user:password@host",
            "RATIO": "2",
        ])
        #expect(
            self.message { _ = try configuration.seconds("PAYMENT_TIMEOUT_SECONDS", default: 15, in: 1...900) }
                == "PAYMENT_TIMEOUT_SECONDS must be a whole number from 1 to 900, not 'abc'.")
        #expect(
            self.message { _ = try configuration.int("COUNT", in: 0 ... .max) }
                == "COUNT must be a whole number of at least 0, not '-1'.")
        #expect(self.message { _ = try configuration.bool("TRUTH") } == "TRUTH must be true or false, not 'yes'.")
        #expect(
            self.message { _ = try configuration.double("RATIO", in: 0...1) }
                == "RATIO must be a number from 0.0 to 1.0, not '2'.")
        #expect(
            self.message { _ = try configuration.url("URL") } == "URL must be a URL like http://127.0.0.1:4566.")
        #expect(self.message { _ = try configuration.secret("KEY") } == "KEY must be set.")
        #expect(self.message { _ = try configuration.string("NAME") } == "NAME must be set.")
    }

    @Test("--help lists the service's own variables and the common ones")
    func help() {
        let help = Help(
            service: "order", defaultPort: 8081, about: "Takes orders.",
            variables: [
                EnvironmentVariable("PAYMENT_WEBHOOK_SECRET", "checks webhooks"),
                EnvironmentVariable("PAYMENT_TIMEOUT_SECONDS", "how long a payment may take", default: "15"),
            ])
        #expect(help.text.hasPrefix("order: Takes orders.\n"))
        #expect(help.text.contains("PAYMENT_WEBHOOK_SECRET       checks webhooks (required)\n"))
        #expect(help.text.contains("how long a payment may take (default 15)\n"))
        #expect(help.text.contains("(default 8081)\n"))
        #expect(help.text.contains("none are sent without it\n"))
    }
}
