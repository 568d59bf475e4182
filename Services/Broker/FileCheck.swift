import Foundation
import Logging
import Persistence
import ServiceLifecycle

/// Looks through the file of a broker that was cut off. SQLite has taken over by then what its log holds of finished
/// commits, whose frames carry checksums; what this looks for is a disk that has not kept what it was given.
///
/// It is done while the broker works, for with two million messages it takes 20 s.
struct FileCheck: Sendable {
    let url: String
    let store: BrokerStore
    let logger: Logger

    /// Whether the last broker on this file has not closed it, which leaves a log. To be asked before it is opened.
    static func isDue(url: String) -> Bool {
        let log = url.replacing("sqlite:", with: "", maxReplacements: 1) + "-wal"
        let size = try? FileManager.default.attributesOfItem(atPath: log)[.size] as? Int
        return size ?? 0 > 0
    }

    func run() async {
        let start = ContinuousClock.now
        do {
            guard let damage = try await store.damage() else {
                let time = (ContinuousClock.now - start) / .milliseconds(1)
                return logger.notice(
                    "the database is whole after the broker was cut off", metadata: ["duration_ms": "\(Int(time))"])
            }
            logger.critical(
                "the database is damaged: stop the broker, and save what can be read of it with sqlite3's .recover",
                metadata: ["database": "\(url)", "damage": "\(damage)"])
        } catch is CancellationError {
            // The broker has been stopped before it was through.
        } catch {
            logger.error("the database could not be checked", metadata: ["error": "\(error)"])
        }
    }
}

/// Closes the database when all has ended that works with it, so that the next start finds its log empty.
struct FileEnd: Service {
    let store: BrokerStore
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        do {
            try await store.database.close()
        } catch {
            logger.warning("the database was not closed; it is as after a crash", metadata: ["error": "\(error)"])
        }
    }
}

extension BrokerStore {
    /// What is wrong with the file first; `nil` if nothing is (sqlite.org, "PRAGMA quick_check").
    fileprivate func damage() async throws -> String? {
        let finding = try await database.read { transaction in
            try transaction.row("PRAGMA quick_check(1)")?.get("quick_check", as: String.self)
        }
        return finding == "ok" ? nil : finding ?? "it says nothing"
    }
}
