import Foundation
import Persistence
import TestSupport
import Testing

@Suite("Statements, arguments and rows") struct SQLTests {
    private enum Color: String { case red, green }

    @Test("Interpolated values are bound, not spliced") func binding() {
        let evil = "'; DROP TABLE notes; --"
        let sql: SQL = "SELECT * FROM notes WHERE text = \(evil) AND id IN (\(list: [1, 2])) ORDER BY \(raw: "id")"
        #expect(sql.text == "SELECT * FROM notes WHERE text = ? AND id IN (?, ?) ORDER BY id")
        #expect(sql.arguments == [.text(evil), .integer(1), .integer(2)])
    }

    @Test("Every type comes back as it was written") func roundTrip() async throws {
        let date = Date(timeIntervalSince1970: 1_772_366_400.123)
        try await withTemporaryDatabase([]) { database in
            try await database.write { transaction in
                let none: String? = nil
                let row = try #require(
                    try transaction.row(
                        """
                        SELECT \(-7) AS whole, \(Int64.max) AS long, \(2.5) AS real, \("Zoë 🙂") AS text, \(true) AS yes,
                            \(Data([0, 255])) AS data, \(date) AS date_ms, \(none.sqlValue) AS absent, \(Color.green) AS color,
                            \("") AS blank, \(Data()) AS empty
                        """))
                #expect(try row.get("whole", as: Int.self) == -7)
                #expect(try row.get("long", as: Int64.self) == .max)
                #expect(try row.get("real", as: Double.self) == 2.5)
                #expect(try row.get("whole", as: Double.self) == -7)
                #expect(try row.get("text", as: String.self) == "Zoë 🙂")
                #expect(try row.get("yes", as: Bool.self))
                #expect(try row.get("data", as: Data.self) == Data([0, 255]))
                #expect(try row.get("date_ms", as: Int64.self) == 1_772_366_400_123)
                #expect(try abs(row.get("date_ms", as: Date.self).timeIntervalSince(date)) < 0.000_1)
                #expect(try row.get("absent", as: String?.self) == nil)
                #expect(try row.get("text", as: String?.self) == "Zoë 🙂")
                #expect(try row.get("color", as: Color.self) == .green)
                #expect(try row.get("blank", as: String?.self) == "")
                #expect(try row.get("empty", as: Data?.self) == Data())
            }
        }
    }

    @Test("A column that isn't there or holds another type is named") func wrongColumns() throws {
        let row = Row(columns: ["id", "text", "nothing"], values: [.integer(1), .text("blue"), .null])
        let messages = [
            message { _ = try row.get("name", as: String.self) }, message { _ = try row.get("id", as: String.self) },
            message { _ = try row.get("text", as: Int?.self) }, message { _ = try row.get("nothing", as: Int.self) },
            message { _ = try row.get("text", as: Color.self) },
        ]
        #expect(
            messages == [
                "The column 'name' can't be read: the query has no such column.",
                "The column 'id' can't be read: it holds no String.",
                "The column 'text' can't be read: it holds no Optional<Int>.",
                "The column 'nothing' can't be read: it holds no Int.",
                "The column 'text' can't be read: 'blue' is no Color.",
            ])
    }

    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
    }

    @Test("A changed row is counted") func changes() async throws {
        try await withTemporaryDatabase([DatabaseTests.notes]) { database in
            try await database.write { transaction in
                let inserted = try transaction.execute("INSERT INTO notes (text) VALUES ('a'), ('b')")
                let updated = try transaction.execute("UPDATE notes SET text = text || '!'")
                let deleted = try transaction.execute("DELETE FROM notes WHERE text = 'c'")
                #expect(inserted == 2 && updated == 2 && deleted == 0)
            }
        }
    }
}
