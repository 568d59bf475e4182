import Foundation
import NIOCore

/// A phase of a run: publishers and consumers on one event loop, which alone touches what is in here.
final class LoadRun {
    struct Goal: Sendable {
        /// The numbers of the messages to publish.
        let messages: Range<Int>
        /// How many messages to take out of each queue.
        let toReceive: Int
        /// Messages a second; `nil` for as fast as it goes.
        let rate: Int?
    }

    struct Connections: Sendable {
        let publishers: [NIOLoopBound<LoadConnection>]
        /// For each queue.
        let consumers: [[NIOLoopBound<LoadConnection>]]
    }

    private let loop: any EventLoop
    private let site: LoadSite
    private let messages: LoadMessages
    private let goal: Goal
    private var signer: LoadSigner
    private var request: LoadMessages.Request
    private let receiveBodies: [[UInt8]]
    private var ledger: LoadLedger
    private let startedWith: (published: Int, deleted: Int)
    private var next: Int
    private let finished: EventLoopPromise<Outcome>
    private var isOver = false

    /// With a rate: what is due and waits for a connection, and connections that wait for something due.
    private var due = 0
    private var idle: [LoadConnection] = []
    private var firstDue: UInt64 = 0

    typealias Outcome = (ledger: LoadLedger, failure: ShopError?)

    init(
        _ goal: Goal, _ messages: LoadMessages, at site: LoadSite, signer: LoadSigner, ledger: LoadLedger,
        on loop: any EventLoop
    ) {
        self.goal = goal
        self.messages = messages
        self.site = site
        self.signer = signer
        self.ledger = ledger
        self.loop = loop
        startedWith = (ledger.published, ledger.deleted)
        next = goal.messages.lowerBound
        request =
            goal.rate == nil
            ? messages.publishBatch(topic: site.topic, count: BrokerLoad.batch) : messages.publish(topic: site.topic)
        receiveBodies = site.queues.map {
            Array(#"{"QueueUrl":"\#($0)","MaxNumberOfMessages":\#(BrokerLoad.batch),"WaitTimeSeconds":20}"#.utf8)
        }
        finished = loop.makePromise()
    }

    func start(_ connections: Connections) -> EventLoopFuture<Outcome> {
        if goal.toReceive > 0 {
            for (queue, consumers) in connections.consumers.enumerated() {
                for consumer in consumers { receive(from: queue, consumer.value) }
            }
        }
        if goal.rate == nil {
            for publisher in connections.publishers { publishBatch(publisher.value) }
        } else {
            idle = connections.publishers.map(\.value)
            firstDue = NIODeadline.now().uptimeNanoseconds
            publishDue()
        }
        watch(LoadProgress(), lastMoved: .now(), movements: 0)
        return finished.futureResult
    }

    // MARK: Publishing

    private func publishBatch(_ connection: LoadConnection) {
        guard !isOver, next < goal.messages.upperBound else { return }
        let count = min(BrokerLoad.batch, goal.messages.upperBound - next)
        let now = NIODeadline.now().uptimeNanoseconds
        publish(count, at: now, on: connection) { self.publishBatch(connection) }
    }

    /// Publishes what is due and orders a call for what is due next.
    private func publishDue() {
        guard !isOver, let rate = goal.rate else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        func time(_ message: Int) -> UInt64 {
            firstDue + UInt64(message - goal.messages.lowerBound) * 1_000_000_000 / UInt64(rate)
        }
        // A server may close what was idle for long.
        idle.removeAll { !$0.isOpen }
        while next < goal.messages.upperBound, time(next) <= now, let connection = idle.popLast() {
            publish(1, at: time(next), on: connection) {
                self.idle.append(connection)
                // Without a connection what became due had to wait for this one.
                if self.idle.count == 1 { self.publishDue() }
            }
        }
        guard next < goal.messages.upperBound, !idle.isEmpty else { return }
        loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(time(next))) { self.publishDue() }
    }

    private func publish(_ count: Int, at time: UInt64, on connection: LoadConnection, then: @escaping () -> Void) {
        let first = next
        next += count
        for message in first..<(first + count) { ledger.publishing(message, at: time) }
        connection.send(signer.form(request.body(first: first, count: count), to: site.endpoint)) { result in
            guard self.accepted(result, "Publish") != nil else { return }
            let now = NIODeadline.now().uptimeNanoseconds
            self.ledger.published(count, took: now &- time, isMeasured: self.isMeasured)
            self.finishIfDone()
            then()
        }
    }

    // MARK: Consuming

    private func receive(from queue: Int, _ connection: LoadConnection) {
        guard !isOver, ledger.distinct[queue] < goal.toReceive else { return }
        connection.send(signer.json("ReceiveMessage", receiveBodies[queue], to: site.endpoint)) { result in
            guard let answer = self.accepted(result, "ReceiveMessage") else { return }
            let (body, count) = self.take(answer.body, from: queue)
            if count == 0 { return self.receive(from: queue, connection) }
            connection.send(self.signer.json("DeleteMessageBatch", body, to: self.site.endpoint)) { result in
                guard self.accepted(result, "DeleteMessageBatch") != nil else { return }
                self.ledger.deleted(count)
                self.finishIfDone()
                self.receive(from: queue, connection)
            }
        }
    }

    /// Notes what was received.
    /// - Returns: the request to delete it.
    private func take(_ answer: ByteBuffer, from queue: Int) -> (body: [UInt8], count: Int) {
        let now = NIODeadline.now().uptimeNanoseconds
        var body: [UInt8] = []
        body.reserveCapacity(2048)
        body += #"{"QueueUrl":""#.utf8
        body += site.queues[queue].utf8
        body += #"","Entries":["#.utf8
        var handles = 0
        var strangers = 0
        answer.withUnsafeReadableBytes { bytes in
            messages.find(in: bytes) { message in
                let isKnown = ledger.received(message, from: queue, at: now, isMeasured: isMeasured)
                if !isKnown { strangers += 1 }
            } handle: { handle in
                body += handles == 0 ? #"{"Id":""#.utf8 : #",{"Id":""#.utf8
                body.append(UInt8(ascii: "0") + UInt8(handles))
                body += #"","ReceiptHandle":""#.utf8
                body += handle
                body += #""}"#.utf8
                handles += 1
            }
        }
        body += "]}".utf8
        if strangers > 0 { end(ShopError("A queue delivered \(strangers) messages that were never published.")) }
        return (body, handles)
    }

    // MARK: The end

    /// Without a consumer a phase only fills the queues.
    private var isMeasured: Bool { goal.toReceive > 0 }

    private func accepted(_ result: Result<LoadConnection.Answer, ShopError>, _ what: String) -> LoadConnection.Answer?
    {
        switch result {
        case .failure(let error): end(error)
        case .success(let answer):
            // An answer to a batch names in it which entries failed, and whose fault that was.
            let isWhole = answer.body.withUnsafeReadableBytes { $0.firstOffset(of: "SenderFault", rare: 6) == nil }
            if answer.status == 200, isWhole { return answer }
            end(
                ShopError(
                    "\(what) was refused with status \(answer.status): \(String(buffer: answer.body).prefix(400))"))
        }
        return nil
    }

    private func finishIfDone() {
        guard ledger.published - startedWith.published == goal.messages.count,
            ledger.distinct.allSatisfy({ $0 >= goal.toReceive }) || goal.toReceive == 0,
            ledger.deleted - startedWith.deleted >= goal.toReceive * site.queues.count
        else { return }
        end(nil)
    }

    private func end(_ failure: ShopError?) {
        guard !isOver else { return }
        isOver = true
        finished.succeed((ledger, failure))
    }

    /// Shows how far it is once a second, and gives up when nothing has moved for longer than messages stay invisible.
    private func watch(_ progress: LoadProgress, lastMoved: NIODeadline, movements: Int) {
        guard !isOver else { return }
        let moved = ledger.published + ledger.deleted
        let lastMoved = moved == movements ? lastMoved : .now()
        if .now() - lastMoved > .seconds(60) {
            return end(ShopError("Nothing has moved for 60 s; look at the server's log."))
        }
        let shown = progress.show(published: ledger.published, deleted: ledger.deleted)
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            self.watch(shown, lastMoved: lastMoved, movements: moved)
        }
    }
}

/// The line on a terminal that says how far a run is.
struct LoadProgress {
    private var deleted: Int?

    func show(published: Int, deleted: Int) -> LoadProgress {
        var next = self
        next.deleted = deleted
        guard isatty(STDERR_FILENO) == 1 else { return next }
        let text =
            "\r\(published) published, \(deleted) delivered and deleted, \(deleted - (self.deleted ?? deleted))/s   "
        FileHandle.standardError.write(Data(text.utf8))
        return next
    }

    static func clear() {
        guard isatty(STDERR_FILENO) == 1 else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
    }
}
