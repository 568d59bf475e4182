import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Telemetry

/// The life of a service's process: configuration, telemetry, build, run until SIGTERM or SIGINT.
///
/// | exit status | meaning |
/// | --- | --- |
/// | 0 | stopped as asked, or `--help` or `--version` answered |
/// | 1 | it couldn't start or go on: port taken, database not to be opened, a service failed |
/// | 64 | it was given arguments that it doesn't know (`EX_USAGE`) |
/// | 78 | a setting is missing or wrong (`EX_CONFIG`) |
public enum ServiceMain {
    private static let gracefulShutdown = Duration.seconds(7)
    private static let cancellation = Duration.seconds(2)

    /// Runs a service to its end.
    ///
    /// - Parameters:
    ///   - name: the service's name: `order`.
    ///   - defaultPort: where it listens when `PORT` isn't set.
    ///   - openAPI: the text of its `openapi.yaml`.
    ///   - about: for `--help`: what the service is for, in a sentence.
    ///   - variables: for `--help`: its own environment variables.
    ///   - isOnOneLoop: whether all runs on one event loop, for a service that does very little for each request.
    ///   - build: puts the service together; it may open its database and throw.
    public static func run(
        _ name: String, defaultPort: Int, openAPI: [UInt8], about: String = "", variables: [EnvironmentVariable] = [],
        isOnOneLoop: Bool = false, build: @Sendable (Chassis) async throws -> Assembly
    ) async -> Never {
        let help = Help(service: name, defaultPort: defaultPort, about: about, variables: variables)
        switch CommandLine.arguments.dropFirst().first {
        case "--help", "-h":
            print(help.text)
            exit(EX_OK)
        case "--version":
            print("\(name) \(ShopVersion.current)")
            exit(EX_OK)
        case .some(let argument):
            self.fail(name, "unknown argument '\(argument)'; try \(name) --help.", status: EX_USAGE)
        case nil:
            break
        }
        // A reader of our output or a peer that goes away is an error of that write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        self.allowManyConnections()
        do {
            let configuration = try ServiceConfiguration(service: name, defaultPort: defaultPort)
            // Otherwise a service waits far more than it computes; a loop for each core would only cost memory.
            NIOSingletons.groupLoopCountSuggestion = isOnOneLoop ? 1 : min(2, System.coreCount)
            let executor = isOnOneLoop ? EventLoopExecutor(MultiThreadedEventLoopGroup.singleton.any()) : nil
            try await withTaskExecutorPreference(executor) {
                try await self.serve(configuration, openAPI: openAPI, build: build)
            }
            exit(EX_OK)
        } catch let error as ConfigurationError {
            self.fail(name, error.message, status: EX_CONFIG)
        } catch {
            self.fail(name, self.sentence(for: error), status: EXIT_FAILURE)
        }
    }

    private static func serve(
        _ configuration: ServiceConfiguration, openAPI: [UInt8], build: @Sendable (Chassis) async throws -> Assembly
    ) async throws {
        let telemetry = Telemetry.bootstrap(
            service: configuration.telemetryName, logLevel: configuration.logLevel,
            otlpEndpoint: configuration.otlpEndpoint, sampler: configuration.sampler)
        let chassis = Chassis(configuration: configuration, telemetry: telemetry, openAPI: openAPI)
        let assembly = try await build(chassis)

        let address = BindAddress.hostname(configuration.host, port: configuration.port)
        let server = assembly.application(configuration: .init(address: address)) { channel in
            chassis.logger.info(
                "listening",
                metadata: [
                    "host": .string(configuration.host),
                    "port": .stringConvertible(channel.localAddress?.port ?? configuration.port),
                ])
        }
        // The group stops from the last to the first: requests, then what works them off, then their spans.
        let services: [any Service] = (telemetry.exporter.map { [$0] } ?? []) + assembly.services + [server]
        var quiet = chassis.logger
        quiet.logLevel = max(.notice, configuration.logLevel)
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        group.maximumGracefulShutdownDuration = self.gracefulShutdown
        group.maximumCancellationDuration = self.cancellation
        do {
            try await ServiceGroup(configuration: group).run()
            chassis.logger.info("stopped")
        } catch is CancellationError {
            // Whatever didn't end in time was cancelled. It is all on disk, or it wasn't answered yet.
            chassis.logger.warning("stopped; some work was still going on and was cancelled")
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw StartError.portTaken(host: configuration.host, port: configuration.port)
        }
    }

    /// Each connection is an open file, of which a program may have 1,024 unless it asks for more.
    private static func allowManyConnections() {
        #if canImport(Glibc)
            let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let openFiles = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // Where it is refused, as macOS does without a bound, the limit stays what it was.
        _ = setrlimit(openFiles, &limit)
    }

    private enum StartError: Error, CustomStringConvertible {
        case portTaken(host: String, port: Int)

        var description: String {
            switch self {
            case .portTaken(let host, let port):
                "Port \(port) on \(host) is taken; stop what uses it or set PORT."
            }
        }
    }

    private static func sentence(for error: any Error) -> String {
        let text = (error as? any LocalizedError)?.errorDescription ?? String(describing: error)
        return text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func fail(_ name: String, _ message: String, status: Int32) -> Never {
        FileHandle.standardError.write(Data("\(name): \(message)\n".utf8))
        exit(status)
    }
}
