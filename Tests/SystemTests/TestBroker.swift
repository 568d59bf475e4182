import Foundation
import TestSupport

/// What takes and gives out messages in this run: the shop's own broker or, with `TEST_BROKER=moto`, what moto makes of
/// Amazon SNS and SQS. Moto keeps everything in memory, so it is never killed.
enum TestBroker {
    case own, moto

    static let current = ProcessInfo.processInfo.environment["TEST_BROKER"] == "moto" ? moto : own

    /// How it is started.
    /// - Parameter port: where it is to listen.
    func command(port: String) throws -> [String] {
        switch self {
        case .own: [try Program.broker.executable()]
        case .moto: [try Python.interpreter().string, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
        }
    }

    /// Answers with 200 once it is there.
    var readyPath: String {
        switch self {
        case .own: "/health/ready"
        case .moto: "/moto-api/"
        }
    }

    var survivesDeath: Bool { self == .own }
}
