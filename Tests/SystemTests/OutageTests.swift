import Contracts
import Foundation
import Subprocess
import Testing

extension SystemTests {
    /// A service that is down delays its own part only.
    @Suite("Outages", .logs, .timeLimit(.minutes(2))) struct OutageTests {
        @Test("With email stopped orders confirm, and the mail goes out when it is back", .stack)
        func emailDown() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            #expect(try await stack.stop(.email) == .exited(0))
            let order = try await shop.place(NewOrder(by: "patient", "MUG-ENAMEL", paying: .ok))
            _ = try await shop.follow(order.orderId, until: ["confirmed"])
            try await eventually("everything else has happened") {
                try await shop.notifications(of: "patient").count == 3
            }
            stack.start(.email)
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
        }

        @Test("With the broker stopped orders are accepted, and everything flows when it is back", .stack)
        func brokerDown() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            try await stack.kill(.broker)
            var orders: [OrderID] = []
            for number in 1...3 {
                let order = NewOrder(by: "offline", "MUG-ENAMEL", number, paying: .ok)
                orders.append(try await shop.place(order).orderId)
            }
            for program in Program.services {
                try await eventually("\(program) says that the broker is away") {
                    let answer = try await shop.send(.get, program, "/health/ready")
                    let text = String(decoding: answer.body, as: UTF8.self)
                    return answer.status == 503 && text.contains("waiting for the broker")
                }
            }
            #expect(try await shop.order(orders[0]).status == "placed")
            stack.start(.broker)
            for (order, points) in zip(orders, [14, 29, 43] as [Int64]) {
                try await shop.expect(order, leaves: .confirmed(points: points))
            }
            for program in Program.services { try await stack.waitUntilReady(program) }
        }

        @Test("Whichever service is down while an order is placed, it arrives when that is back", .stack)
        func eachDownInTurn() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            for program in Program.services where program != .order {
                try await stack.kill(program)
                let order = try await shop.place(NewOrder(by: "unlucky", "TEA-SENCHA-100G", paying: .ok))
                stack.start(program)
                let state = try await shop.follow(order.orderId, until: ["confirmed", "cancelled"])
                // Payment may have been away for longer than the order waits for it.
                if program != .payment { #expect(state.status == "confirmed", "with \(program) down") }
                if state.status == "confirmed" {
                    try await shop.expect(order.orderId, leaves: .confirmed(points: 16))
                } else {
                    try await shop.expect(order.orderId, leaves: .refunded)
                }
            }
        }

        @Test(
            "Services that have never run get what was sent before their first start",
            .stack(starting: [.broker, .order, .inventory], paymentTimeoutSeconds: 30))
        func lateStarters() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let order = try await shop.place(NewOrder(by: "first", "MUG-ENAMEL", paying: .ok))
            _ = try await shop.follow(order.orderId, until: ["reserved"])
            stack.start(.payment)
            _ = try await shop.follow(order.orderId, until: ["confirmed"])
            for program in [Program.email, .loyalty, .notification] { stack.start(program) }
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
        }

        @Test("Killed all at once, the shop goes on where it was", .stack(paymentTimeoutSeconds: 10))
        func allKilled() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            var orders: [OrderID] = []
            for _ in 1...10 {
                orders.append(try await shop.place(NewOrder(by: "survivor", "MUG-ENAMEL", paying: .ok)).orderId)
            }
            for program in Program.allCases { try await stack.kill(program) }
            for program in Program.allCases { stack.start(program) }
            for program in Program.allCases { try await stack.waitUntilReady(program) }
            for order in orders { try await shop.expect(order, leaves: .confirmed(points: 14)) }
            #expect(try await shop.orders(of: "survivor").count == 10)
        }

        @Test("Each service starts without the others, says what it waits for, and recovers", .stack(starting: []))
        func nothingThere() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            for program in Program.services {
                stack.start(program)
                try await eventually("\(program) says that it waits for the broker", within: .seconds(30)) {
                    let answer = try await shop.send(.get, program, "/health/ready")
                    let text = String(decoding: answer.body, as: UTF8.self)
                    return answer.status == 503 && text.contains(#""status":"starting""#) && text.contains("broker")
                }
                #expect(try await shop.send(.get, program, "/health/live").status == 200)
            }
            let early = try await shop.post(NewOrder(by: "early", "MUG-ENAMEL", paying: .ok), key: "early")
            #expect(early.status == 503)
            #expect(early.headers["content-type"] == "application/problem+json")
            #expect(early.headers["retry-after"] != nil)
            stack.start(.broker)
            for program in Program.allCases { try await stack.waitUntilReady(program) }
            for program in Program.services {
                let complaints = stack.logLines(of: program).filter { $0.contains("broker isn't ready") }
                #expect(complaints.count == 1, "\(program) says so once")
            }
            let order = try await shop.place(NewOrder(by: "early", "MUG-ENAMEL", paying: .ok), key: "early")
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
        }

        @Test("Asked to stop, each program ends with status 0 within ten seconds", .stack) func stops() async throws {
            let stack = try currentStack()
            // All at once, with the broker first: nobody may wait for another one.
            try await withThrowingTaskGroup(of: (Program, TerminationStatus, Duration).self) { group in
                for program in Program.allCases {
                    group.addTask {
                        let start = ContinuousClock.now
                        return (program, try await stack.stop(program), ContinuousClock.now - start)
                    }
                }
                for try await (program, status, time) in group {
                    #expect(status == .exited(0), "\(program)")
                    #expect(time < .seconds(10), "\(program)")
                }
            }
        }
    }
}
