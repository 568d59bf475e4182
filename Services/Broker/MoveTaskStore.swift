import Persistence

/// A task that moves the messages of a dead-letter queue, as the disk has it.
struct MoveTask: Sendable {
    enum Status: String, Sendable {
        case running = "RUNNING"
        case cancelling = "CANCELLING"
        case cancelled = "CANCELLED"
        case completed = "COMPLETED"
        case failed = "FAILED"

        var isActive: Bool { self == .running || self == .cancelling }
    }

    let id: String
    /// The dead-letter queue.
    let source: String
    /// Where the messages go; each to the queue that it came from if there is none.
    let destination: String?
    /// The most messages in a second.
    let rate: Int?
    var status = Status.running
    var moved = 0
    let toMove: Int
    var failure: String?
    let startedAt: Milliseconds
}

/// Tasks on disk.
extension BrokerStore {
    func insert(_ task: MoveTask, source: Int64, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO move_tasks (id, source, source_id, destination, rate, status, moved, to_move, started_at_ms)
            VALUES (\(task.id), \(task.source), \(source), \(task.destination), \(task.rate),
                \(task.status), \(task.moved), \(task.toMove), \(task.startedAt))
            """)
        // No more than these are ever listed.
        try transaction.execute(
            """
            DELETE FROM move_tasks WHERE source_id = \(source) AND id NOT IN (
                SELECT id FROM move_tasks WHERE source_id = \(source) ORDER BY started_at_ms DESC, id LIMIT 10)
            """)
    }

    func update(_ task: MoveTask, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE move_tasks SET status = \(task.status), moved = \(task.moved), failure = \(task.failure)
            WHERE id = \(task.id)
            """)
    }

    func moveTask(_ id: String, _ transaction: any Transaction) throws -> MoveTask? {
        try transaction.row("SELECT * FROM move_tasks WHERE id = \(id)").map(moveTask)
    }

    /// The tasks of a queue, the latest first.
    func moveTasks(of source: Int64, limit: Int, _ transaction: any Transaction) throws -> [MoveTask] {
        try transaction.rows(
            """
            SELECT * FROM move_tasks WHERE source_id = \(source) ORDER BY started_at_ms DESC, id LIMIT \(limit)
            """
        ).map(moveTask)
    }

    func activeMoveTasks(_ transaction: any Transaction) throws -> [MoveTask] {
        try transaction.rows(
            """
            SELECT * FROM move_tasks
            WHERE status IN (\(MoveTask.Status.running), \(MoveTask.Status.cancelling))
            """
        ).map(moveTask)
    }

    private func moveTask(_ row: Row) throws -> MoveTask {
        MoveTask(
            id: try row.get("id"), source: try row.get("source"), destination: try row.get("destination"),
            rate: try row.get("rate"), status: try row.get("status"), moved: try row.get("moved"),
            toMove: try row.get("to_move"), failure: try row.get("failure"), startedAt: try row.get("started_at_ms"))
    }
}
