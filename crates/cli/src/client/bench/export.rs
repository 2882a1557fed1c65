//! Reports for other programs: CSV with a line for each client and the total, and JSON with the histogram.

use serde_json::{Value, json};

use super::latency::PERCENTILES;
use super::report::{Outcome, Report};

/// Columns before the latencies.
const COLUMNS: &str = "client,messages,bytes,seconds,messages_per_second,bytes_per_second";

/// One line for each client, and `total`. Latencies are in microseconds and empty where none were measured.
pub(super) fn csv(report: &Report) -> String {
    let percentiles = PERCENTILES.iter().map(|(name, _)| format!("{name}_us"));
    let columns: Vec<String> =
        [COLUMNS.to_owned()].into_iter().chain(percentiles).chain(["max_us".to_owned()]).collect();
    let clients = report.clients.iter().enumerate();
    let mut lines = vec![columns.join(",")];
    lines.extend(clients.map(|(index, client)| line(&(index + 1).to_string(), client)));
    lines.push(line("total", &report.total()));
    lines.join("\n") + "\n"
}

fn line(name: &str, outcome: &Outcome) -> String {
    let throughput = format!(
        "{name},{},{},{:.6},{:.1},{:.1}",
        outcome.msgs,
        outcome.bytes,
        outcome.elapsed.as_secs_f64(),
        outcome.msgs_per_second(),
        outcome.bytes_per_second()
    );
    let latency = outcome.latency.as_ref().filter(|latency| !latency.is_empty());
    let at = |percentile| latency.map(|latency| format!("{:.1}", latency.at(percentile).as_secs_f64() * 1e6));
    let percentiles = PERCENTILES.iter().map(|(_, percentile)| *percentile).chain([100.0]);
    let latencies = percentiles.map(|percentile| at(percentile).unwrap_or_default());
    [throughput].into_iter().chain(latencies).collect::<Vec<_>>().join(",")
}

/// The same as one object.
pub(super) fn json(report: &Report) -> String {
    let clients: Vec<Value> = report.clients.iter().map(object).collect();
    let whole = json!({
        "benchmark": report.kind,
        "subject": report.subject,
        "messages_wanted": report.wanted,
        "clients": clients,
        "total": object(&report.total()),
    });
    format!("{whole:#}\n")
}

fn object(outcome: &Outcome) -> Value {
    let mut object = json!({
        "messages": outcome.msgs,
        "bytes": outcome.bytes,
        "seconds": outcome.elapsed.as_secs_f64(),
        "messages_per_second": outcome.msgs_per_second(),
        "bytes_per_second": outcome.bytes_per_second(),
    });
    if let Some(latency) = outcome.latency.as_ref().filter(|latency| !latency.is_empty()) {
        let micros = |duration: std::time::Duration| json!(duration.as_secs_f64() * 1e6);
        let mut values =
            json!({ "min": micros(latency.min()), "mean": micros(latency.mean()), "max": micros(latency.max()) });
        for (name, percentile) in PERCENTILES {
            values[name] = micros(latency.at(percentile));
        }
        let step = |(upper, count)| json!({ "up_to": micros(upper), "count": count });
        values["histogram"] = latency.steps().into_iter().map(step).collect();
        object["latency_us"] = values;
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::example;
    use super::*;

    #[test]
    fn csv_has_a_line_for_each_client_and_the_total() {
        let text = csv(&example());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], format!("{COLUMNS},p50_us,p90_us,p99_us,p99.9_us,max_us"));
        assert!(lines[1].starts_with("1,1000,128000,0.500000,2000.0,256000.0,100."), "{}", lines[1]);
        assert!(lines[3].starts_with("total,4000,512000,1.000000,4000.0,512000.0,100."), "{}", lines[3]);
        let columns = lines[0].matches(',').count();
        assert!(lines.iter().all(|line| line.matches(',').count() == columns));
    }

    #[test]
    fn csv_leaves_latencies_empty_where_there_are_none() {
        let mut report = example();
        report.clients.iter_mut().for_each(|client| client.latency = None);
        assert!(csv(&report).lines().skip(1).all(|line| line.ends_with(",,,,,")));
    }

    #[test]
    fn json_reads_back() {
        let value: Value = serde_json::from_str(&json(&example())).unwrap();
        assert_eq!(value["benchmark"], "request");
        assert_eq!(value["subject"], "a \"b\"");
        assert_eq!(value["clients"].as_array().unwrap().len(), 2);
        assert_eq!(value["total"]["messages"], 4_000);
        assert!(value["total"]["latency_us"]["p99.9"].as_f64().unwrap() > 299.0);
        let counts = value["total"]["latency_us"]["histogram"].as_array().unwrap();
        assert_eq!(counts.iter().map(|step| step["count"].as_u64().unwrap()).sum::<u64>(), 2);
    }
}
