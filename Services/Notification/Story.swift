import Contracts

/// The life of one order as far as it has been heard of: what was told, and what waits for something that comes before it.
///
/// An order's events come from three publishers and overtake each other, most of all when one is delivered again. FIFO
/// topics and queues would not mend that: each keeps one publisher's events in order, not a confirmation of order's
/// before the points of loyalty's that follow from it; one late message would hold up all behind it, related or not; and
/// each receive of a group would have to be worked off one by one. Here it is known what comes before what, so the
/// shop's channels are standard ones and the order is restored here. Steps that don't follow from each other, such as
/// points and packing, are told as they come.
struct Story: Equatable, Sendable {
    /// Something that happened, and what comes before it in this order's life.
    struct Step: Equatable, Sendable {
        let kind: Notice.Kind
        let follows: Set<Notice.Kind>
    }

    private(set) var told: Set<Notice.Kind> = []
    /// In the order in which they were heard of.
    private(set) var heldBack: [Step] = []

    init(told: Set<Notice.Kind> = [], heldBack: [Step] = []) {
        self.told = told
        self.heldBack = heldBack
    }

    /// Takes in the next step that is heard of.
    /// - Returns: what can be told now, in this order. Nothing, if the step has to wait; several, if others waited for it.
    mutating func hear(_ step: Step) -> [Notice.Kind] {
        heldBack.append(step)
        return tellWhatIsDue()
    }

    /// Gives up waiting for what comes before a step, which may be among the dead letters. If some of that is held back
    /// itself, it is told first.
    /// - Returns: what can be told now, in this order; nothing, if the step was told meanwhile.
    mutating func stopWaiting(with kind: Notice.Kind) -> [Notice.Kind] {
        let steps = heldBack.filter { $0.kind == kind }
        guard !steps.isEmpty else { return [] }
        heldBack.removeAll { $0.kind == kind }
        var kinds: [Notice.Kind] = []
        for cause in steps.reduce(into: Set(), { $0.formUnion($1.follows) }).inLifeOrder {
            kinds += stopWaiting(with: cause)
        }
        told.insert(kind)
        return kinds + [kind] + tellWhatIsDue()
    }

    private mutating func tellWhatIsDue() -> [Notice.Kind] {
        var kinds: [Notice.Kind] = []
        while let index = heldBack.firstIndex(where: { $0.follows.isSubset(of: told) }) {
            let step = heldBack.remove(at: index)
            told.insert(step.kind)
            if !kinds.contains(step.kind) { kinds.append(step.kind) }
        }
        return kinds
    }
}

extension Story.Step {
    /// - Parameter previous: what was there before, where it isn't the same in each order's life.
    init(_ kind: Notice.Kind, after previous: Notice.Kind? = nil) {
        self.init(kind: kind, follows: previous.map { [$0] } ?? kind.follows)
    }
}

extension Notice.Kind {
    /// - Returns: `nil` for a step that isn't known.
    init?(_ status: ShipmentStatus) { self.init(rawValue: "shipment_\(status)") }

    /// What comes before it in each order's life.
    fileprivate var follows: Set<Self> {
        switch self {
        case .orderPlaced: []
        case .orderConfirmed, .orderCancelled: [.orderPlaced]
        case .orderRefunded: [.orderCancelled]
        case .cancellationRefused: [.shipmentShipped]
        case .pointsAwarded, .shipmentPreparing: [.orderConfirmed]
        case .pointsReversed: [.pointsAwarded, .orderCancelled]
        case .shipmentPacked, .shipmentStopped: [.shipmentPreparing]
        case .shipmentShipped: [.shipmentPacked]
        case .shipmentDelivered: [.shipmentShipped]
        }
    }
}

extension Set<Notice.Kind> {
    fileprivate var inLifeOrder: [Notice.Kind] { Notice.Kind.allCases.filter(contains) }
}
