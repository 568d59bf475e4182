import Contracts
import Foundation

/// When goods leave the warehouse: on working days, Monday to Friday, in UTC.
enum Dispatch {
    /// What is asked for before this hour of a working day leaves on the same day.
    private static let lastHour = 14
    /// How many working days it takes to get in what isn't there.
    private static let restockingDays = 10

    /// The day on which goods can leave.
    static func day(isInStock: Bool, askedAt time: Date) -> CalendarDay {
        let seconds = Int64(time.timeIntervalSince1970.rounded(.down))
        var day = Day(number: seconds / secondsPerDay)
        let hour = seconds % secondsPerDay / 3600
        if !day.isWorkingDay || hour >= lastHour { day = day.nextWorkingDay }
        if !isInStock {
            for _ in 0..<restockingDays { day = day.nextWorkingDay }
        }
        return day.calendarDay
    }

    private static let secondsPerDay: Int64 = 86_400

    /// A day, counted from 1970-01-01, a Thursday.
    private struct Day {
        let number: Int64

        var isWorkingDay: Bool {
            let sinceMonday = (number + 3) % 7
            return sinceMonday < 5
        }

        var nextWorkingDay: Day {
            var next = Day(number: number + 1)
            while !next.isWorkingDay { next = Day(number: next.number + 1) }
            return next
        }

        var calendarDay: CalendarDay {
            let noon = Date(timeIntervalSince1970: Double(number * secondsPerDay + secondsPerDay / 2))
            return CalendarDay(rawValue: String(RFC3339.string(from: noon).prefix(10)))
        }
    }
}
