import Foundation
import Testing

@testable import Shop

@Suite struct ConsoleCommandTests {
    @Test func aTimelineIsPrintedAsATree() throws {
        let answer = """
            {"notes":["payment does not answer."],"timeline":{"correlationId":"c-1","durationMicroseconds":1500000,"spans":[
            {"service":"order","name":"POST /orders","depth":0,"startMicroseconds":0,"durationMicroseconds":900},
            {"service":"payment","name":"process payment","depth":1,"startMicroseconds":2500,"durationMicroseconds":1497500,
             "waitMicroseconds":1600,"attempt":2,"mark":"error","statusMessage":"it broke"}]}}
            """
        let report = try JSONDecoder().decode(TraceCommand.Report.self, from: Data(answer.utf8))
        let lines = TraceCommand.lines(report)
        #expect(lines[0] == "payment does not answer.")
        #expect(lines[1] == "  correlation c-1")
        #expect(lines[2].contains("order") && lines[2].contains("POST /orders") && lines[2].hasSuffix("900 µs"))
        #expect(lines[3].contains("  process payment"))
        #expect(lines[3].hasSuffix("1.50 s  waited 1.6 ms  attempt 2  failed: it broke"))
    }

    @Test func theDoctorNamesWhatIsNotWellAndWhatToDo() throws {
        let answer = """
            {"services":[{"name":"order","status":"ready","outboxDepth":400},{"name":"email","status":"ready"}],
             "queues":[
              {"name":"email","visible":7,"inFlight":0,"delayed":0,"oldestSeconds":95.2,"deadLetters":0},
              {"name":"order","visible":0,"inFlight":1,"delayed":3,"oldestSeconds":600,"deadLetters":2},
              {"name":"payment","visible":9,"inFlight":0,"delayed":0,"oldestSeconds":0.2,"deadLetters":0}]}
            """
        let overview = try JSONDecoder().decode(QueuesCommand.Overview.self, from: Data(answer.utf8))
        let findings = DoctorCommand.findings(in: overview)
        #expect(findings.map(\.about) == ["order-dlq", "email", "order"])
        #expect(findings[1].problem == "7 messages wait, the oldest for 95 s.")
    }

    @Test func deadLettersAreGroupedByTheirReason() throws {
        let answer = """
            {"queues":[{"queue":"email-dlq","source":"email","count":3,"letters":[
            {"messageId":"m-1","reason":"b","body":"","attributes":{}},
            {"messageId":"m-2","reason":"a","body":"","attributes":{},"type":"t","subject":"o-1"},
            {"messageId":"m-3","reason":"b","body":"","attributes":{}}]},
            {"queue":"order-dlq","source":"order","count":0,"letters":[]}]}
            """
        let shelves = try JSONDecoder().decode(DeadLettersCommand.Shelves.self, from: Data(answer.utf8)).queues
        let lines = DeadLettersCommand.lines(shelves)
        #expect(lines[0] == "email-dlq, 1: a")
        #expect(lines[1].hasPrefix("  m-2  t  o-1"))
        #expect(lines[2] == "email-dlq, 2: b")
        #expect(DeadLettersCommand.lines([]) == ["There are no dead letters."])
    }

    @Test func spansGoToTheConsoleUnlessTheCallerNamesAnother() throws {
        let addresses = try Addresses(portOffset: 10)
        let all = ServiceTable.all
        func receivers(_ entries: [ServiceEntry], _ caller: [String: String] = [:]) throws -> [String: String] {
            try entries.reduce(into: [:]) {
                $0[$1.name] = try addresses.receiver(of: $1, among: entries, caller: caller)
            }
        }
        let told = try receivers(all)
        #expect(told["order"] == "http://127.0.0.1:8090")
        #expect(told["broker"] == nil && told["console"] == nil)
        #expect(try receivers(all.filter { $0.name != "console" }).isEmpty)
        let named = try receivers(all, ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"])
        #expect(named["broker"] == "http://collector:4318" && named["console"] == nil)
        let keys = Keys(values: [:])
        let order = try addresses.environment(of: all[1], data: "/data", keys: keys, receiver: "http://r")
        #expect(order["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://r")
        let console = try #require(all.last)
        let environment = try addresses.environment(of: console, data: "/data", keys: keys)
        #expect(environment["ORDER_URL"] == "http://127.0.0.1:8091")
        #expect(environment["LOG_FOLDER"] == "/data/logs")
    }

    @Test func aLogFileThatIsFullMakesRoomForTheNext() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("logs-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func text(_ name: String) -> String? { try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }
        let files = try LogFiles(folder: folder, largest: 20)
        for number in 1...5 { files.append("line \(number)", of: "order") }
        #expect(text("order.log.1") == "line 3\nline 4\n")
        files.append("another", of: "email")
        #expect(text("email.log") == "another\n")
        // The next life of the stack goes on where this one ended.
        try LogFiles(folder: folder, largest: 100).append("line 6", of: "order")
        #expect(text("order.log") == "line 5\nline 6\n")
    }

    @Test func linesComeOutAsTheServicesWroteThem() throws {
        let lines = try LogsCommand.lines(in: #"{"isKept":true,"lines":[{"service":"order","message":"a","at":1}]}"#)
        #expect(lines.map(\.service) == ["order"])
        #expect(lines.map(\.text) == [#"{"at":1,"message":"a","service":"order"}"#])
    }
}
