public import Foundation

extension Date {
    /// The time in RFC 3339 with milliseconds, in UTC: `2026-01-31T12:00:00.000Z`.
    ///
    /// Foundation's own formatter gives the same, but its first use brings in calendars and locales: 4 MB of memory in
    /// every process, for what is a division or two.
    public var rfc3339: String {
        let milliseconds = Int64((self.timeIntervalSince1970 * 1000).rounded(.down))
        let (days, time) = milliseconds.flooredQuotientAndRemainder(dividingBy: 86_400_000)
        let (year, month, day) = civil(fromDays: days)
        let digits = { (value: Int64, count: Int) in
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return digits(year, 4) + "-" + digits(month, 2) + "-" + digits(day, 2) + "T"
            + digits(time / 3_600_000, 2) + ":" + digits(time / 60_000 % 60, 2) + ":" + digits(time / 1000 % 60, 2)
            + "." + digits(time % 1000, 3) + "Z"
    }
}

/// The proleptic Gregorian date of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`
/// (https://howardhinnant.github.io/date_algorithms.html): years begin in March there, so that the leap day is last.
private func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).flooredQuotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
}

extension Int64 {
    fileprivate func flooredQuotientAndRemainder(dividingBy divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
