import Testing

@testable import Broker

/// Random histories against the reference model. A failure names its seed.
struct QueueStateModelTests {
    private static let seeds: [UInt64] = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233]

    @Test(arguments: seeds) func standard(seed: UInt64) { run(seed, isFIFO: false) }

    @Test(arguments: seeds) func fifo(seed: UInt64) {
        let simulation = run(seed, isFIFO: true)
        #expect(simulation.repetitions > 0, "seed \(seed) repeated no attempt to receive")
    }

    @discardableResult
    private func run(_ seed: UInt64, isFIFO: Bool) -> QueueSimulation {
        var simulation = QueueSimulation(seed: seed, isFIFO: isFIFO)
        for index in 0..<4000 {
            simulation.step()
            if index % 41 == 0 { simulation.settle() }
            if index % 97 == 0 { expectCompleteness(&simulation, seed) }
        }
        drain(&simulation, seed)
        #expect(simulation.deliveries > 500 && simulation.crashes > 5, "seed \(seed) tried too little")
        return simulation
    }

    /// When nothing is on its way, a receiver gets the earliest message that the model has (of a FIFO queue, one of those
    /// that it has), and none only if the model has none.
    private func expectCompleteness(_ simulation: inout QueueSimulation, _ seed: UInt64) {
        // Waiters would be served first.
        for waiter in simulation.waiting.keys { simulation.cancel(waiter) }
        // What failed is tried again after a while.
        simulation.settle()
        simulation.pass(QueueSimulation.limits.retryDelay)
        simulation.settle()
        let hasRoom = simulation.state.inFlight.count < QueueSimulation.limits.inFlight
        if simulation.isFIFO { return expectOneOfTheFirst(&simulation, hasRoom, seed) }
        let expected = simulation.deliverable.min { left, right in
            let (first, second) = (simulation.disk[left]?.visibleAt ?? 0, simulation.disk[right]?.visibleAt ?? 0)
            return first == second ? left < right : first < second
        }
        let got = simulation.receiveNow()
        simulation.settle()
        if hasRoom { #expect(got == expected, "seed \(seed)") }
    }

    private func expectOneOfTheFirst(_ simulation: inout QueueSimulation, _ hasRoom: Bool, _ seed: UInt64) {
        // One that must go to the dead-letter queue is moved first, and its group waits for that.
        for _ in 0..<50 {
            let deliverable = simulation.deliverable
            // Whether it was right to deliver it was checked when it came.
            if simulation.receiveNow() != nil { return simulation.settle() }
            simulation.settle()
            if deliverable.isEmpty { return }
        }
        if hasRoom { Issue.record("seed \(seed): nothing was delivered of \(simulation.deliverable)") }
    }

    /// In the end every message was deleted, expired or is in the dead-letter queue: none is lost, none is left.
    private func drain(_ simulation: inout QueueSimulation, _ seed: UInt64) {
        var rounds = 0
        while !simulation.disk.isEmpty, rounds < 20_000 {
            rounds += 1
            simulation.settle()
            if let sequence = simulation.receiveNow() {
                simulation.writes.append(.delete([sequence]))
            } else {
                simulation.pass(100)
            }
            simulation.settle()
        }
        #expect(simulation.disk.isEmpty, "seed \(seed) left messages behind")
        let gone = simulation.deleted.count + simulation.expired.count + simulation.deadLetters.count
        #expect(gone == simulation.sent, "seed \(seed)")
        #expect(!simulation.deadLetters.isEmpty, "seed \(seed) moved nothing to the dead-letter queue")
    }
}

extension QueueSimulation {
    mutating func cancel(_ waiter: Int) {
        waiting[waiter] = nil
        _ = state.cancel(waiter: waiter)
    }

    /// Receives one message without waiting.
    mutating func receiveNow() -> Int64? {
        let before = handles.count
        let delivered = deliveries
        receive(maximum: 1, wait: 0, mayRepeat: false)
        settle()
        if handles.count > before { return handles.last?.sequence }
        // It was given back at once, as some are: ask again.
        return deliveries > delivered ? receiveNow() : nil
    }
}
