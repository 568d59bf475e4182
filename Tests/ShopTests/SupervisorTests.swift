import Foundation
import Testing

@testable import Shop

/// The supervisor with shell scripts for services.
@Suite(.timeLimit(.minutes(1))) final class SupervisorTests {
    private static let untilStopped = """
        trap 'echo "$0 stopped"; kill $!; exit 0' TERM
        tail -f /dev/null &
        echo "$0 started"
        wait
        """
    private static let deaf = """
        trap '' TERM
        echo "$0 started"
        exec tail -f /dev/null
        """

    private let folder = DataFolder(
        FileManager.default.temporaryDirectory.appendingPathComponent("shop-tests-\(UUID().uuidString)").path)
    private let record: StackRecord
    private let output: Output
    /// Everything that was printed, line by line.
    private let lines: AsyncStream<String>

    init() throws {
        try folder.create()
        record = try StackRecord(
            StackFile(supervisorProcessID: 1, portOffset: 0, startedAt: .now, services: []), path: folder.stackPath)
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        self.lines = lines
        output = Output(isForPeople: true, hasColours: false) { line, _ in continuation.yield(line) }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    private func process(_ name: String, _ script: String) throws -> ServiceProcess {
        let path = "\(folder.path)/\(name)"
        try Data("#!/bin/sh\n\(script)\n".replacingOccurrences(of: "$0", with: name).utf8)
            .write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
        return ServiceProcess(
            name: name, command: [path], environment: [:], folder: folder, record: record, output: output)
    }

    private func supervisor(
        _ processes: [ServiceProcess],
        listen: @escaping @Sendable (AsyncStream<Void>.Continuation) async -> Void = { _ in },
        announce: @escaping @Sendable () async throws -> Void = {}
    ) -> Supervisor {
        Supervisor(processes: processes, foundation: ["broker"], output: output, listen: listen, announce: announce)
    }

    /// The lines up to and with the count-th that contains the text.
    private func printed(until text: String, count: Int = 1) async -> [String] {
        var seen: [String] = []
        var left = count
        for await line in lines {
            seen.append(line)
            if line.contains(text) { left -= 1 }
            if left == 0 { break }
        }
        return seen
    }

    @Test func aServiceThatDiesIsStartedAgain() async throws {
        let process = try process("order", "echo \"$0 started\"; exit 3")
        async let run: Void = process.run()
        let seen = await printed(until: "order started", count: 2)
        process.stop.raise()
        try await run
        #expect(
            seen.filter { $0.contains("ended with status 3") && $0.hasSuffix("it starts again in 0.2 s.") }.count == 1)
    }

    @Test func allThatAServiceWroteIsShownThoughItDied() async throws {
        let process = try process("order", "seq 1 20000; echo last; kill -9 $$")
        async let run: Void = process.run()
        let seen = await printed(until: "was killed by signal 9")
        process.stop.raise()
        try await run
        #expect(seen.count == 20_002)
        #expect(seen.dropLast().last?.hasSuffix("last") == true)
    }

    @Test func aStopIsInOrderWithTheBrokerLast() async throws {
        let broker = try process("broker", Self.untilStopped)
        let order = try process("order", Self.untilStopped)
        let email = try process("email", Self.untilStopped)
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        let supervisor = supervisor(
            [broker, order, email],
            listen: { asked in
                for await _ in ready { asked.yield() }
            })
        async let run: Void = supervisor.run()
        _ = await printed(until: "started", count: 3)
        isReady.yield()
        let seen = await printed(until: "stopped", count: 3)
        try await run
        #expect(seen.first == "Stopping.")
        #expect(seen.last?.contains("broker stopped") == true)
    }

    @Test func askingTwiceStopsAtOnce() async throws {
        let order = try process("order", Self.deaf)
        let (asking, ask) = AsyncStream.makeStream(of: Void.self)
        let supervisor = supervisor(
            [order],
            listen: { asked in
                for await _ in asking { asked.yield() }
            })
        async let run: Void = supervisor.run()
        _ = await printed(until: "order started")
        ask.yield()
        _ = await printed(until: "Stopping.")
        ask.yield()
        _ = await printed(until: "Stopping at once.")
        try await run
    }

    @Test func aWrongConfigurationStopsAll() async throws {
        let broker = try process("broker", Self.untilStopped)
        let order = try process("order", "exit 78")
        let supervisor = supervisor([broker, order])
        let error = await #expect(throws: ShopError.self) { try await supervisor.run() }
        #expect(error?.description.hasPrefix("order can't run with this configuration") == true)
    }

    @Test func aStackThatDoesNotBecomeReadyIsStopped() async throws {
        let broker = try process("broker", Self.untilStopped)
        let supervisor = supervisor([broker], announce: { throw ShopError("Not ready.") })
        let error = await #expect(throws: ShopError.self) { try await supervisor.run() }
        #expect(error?.description == "Not ready.")
    }
}
