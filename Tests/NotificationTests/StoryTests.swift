import TestSupport
import Testing

@testable import Notification

@Suite("An order's life") struct StoryTests {
    @Test("What comes in order is told at once") func inOrder() {
        var story = Story()
        for kind in [Notice.Kind.orderPlaced, .orderConfirmed, .pointsAwarded, .shipmentPreparing, .shipmentPacked] {
            #expect(story.hear(.init(kind)) == [kind])
        }
        #expect(story.heldBack.isEmpty)
    }

    @Test("What comes too early waits for what comes before it, and for nothing else") func early() {
        var story = Story()
        #expect(story.hear(.init(.orderPlaced)) == [.orderPlaced])
        #expect(story.hear(.init(.shipmentPacked)) == [])
        #expect(story.hear(.init(.shipmentPreparing)) == [])
        #expect(story.hear(.init(.pointsAwarded)) == [])
        #expect(
            story.hear(.init(.orderConfirmed)) == [
                .orderConfirmed, .shipmentPreparing, .shipmentPacked, .pointsAwarded,
            ])
    }

    @Test("A cancellation waits for as much of the order's life as there was") func cancellations() {
        var unpaid = Story(told: [.orderPlaced])
        #expect(unpaid.hear(.init(.orderCancelled)) == [.orderCancelled])
        var confirmed = Story(told: [.orderPlaced])
        #expect(confirmed.hear(.init(.orderCancelled, after: .orderConfirmed)) == [])
        #expect(confirmed.hear(.init(.orderConfirmed)) == [.orderConfirmed, .orderCancelled])
        var packed = Story(told: [.orderPlaced, .orderConfirmed, .shipmentPreparing])
        #expect(packed.hear(.init(.shipmentStopped, after: .shipmentPacked)) == [])
        #expect(packed.hear(.init(.orderCancelled, after: .shipmentPacked)) == [])
        #expect(packed.hear(.init(.shipmentPacked)) == [.shipmentPacked, .shipmentStopped, .orderCancelled])
    }

    @Test("Who has waited long enough is told, after what is held back before it") func patience() {
        var story = Story(told: [.orderPlaced])
        #expect(story.hear(.init(.shipmentShipped)) == [])
        #expect(story.hear(.init(.shipmentPacked)) == [])
        #expect(story.hear(.init(.pointsAwarded)) == [])
        #expect(story.hear(.init(.shipmentDelivered)) == [])
        #expect(story.stopWaiting(with: .shipmentShipped) == [.shipmentPacked, .shipmentShipped, .shipmentDelivered])
        #expect(story.heldBack.map(\.kind) == [.pointsAwarded])
        #expect(story.stopWaiting(with: .shipmentShipped) == [], "it was told before")
        #expect(story.hear(.init(.orderConfirmed)) == [.orderConfirmed, .pointsAwarded], "late, and not lost")
    }

    /// What must come before what for one who cancels after everything but the departure.
    private static let life: [(step: Story.Step, after: [Notice.Kind])] = [
        (.init(.orderPlaced), []), (.init(.orderConfirmed), [.orderPlaced]),
        (.init(.pointsAwarded), [.orderConfirmed]), (.init(.shipmentPreparing), [.orderConfirmed]),
        (.init(.shipmentPacked, after: .shipmentPreparing), [.shipmentPreparing]),
        (.init(.shipmentStopped, after: .shipmentPacked), [.shipmentPacked]),
        (.init(.orderCancelled, after: .shipmentPacked), [.shipmentPacked, .orderConfirmed]),
        (.init(.pointsReversed), [.pointsAwarded, .orderCancelled]), (.init(.orderRefunded), [.orderCancelled]),
    ]

    @Test("However its events are shuffled, everything is told once and nothing before its cause") func shuffled()
        throws
    {
        for seed in UInt64(0)..<500 {
            var random = SeededGenerator(seed: seed)
            var story = Story()
            let told = Self.life.shuffled(using: &random).flatMap { story.hear($0.step) }
            try #require(told.count == Self.life.count && Set(told).count == told.count, "seed \(seed)")
            for (step, causes) in Self.life {
                for cause in causes {
                    let isInOrder = told.firstIndex(of: cause) ?? .max < told.firstIndex(of: step.kind) ?? .min
                    #expect(isInOrder, "\(cause) before \(step.kind), seed \(seed)")
                }
            }
        }
    }
}
