//! The names of the report's formats, and `FORMAT=FILE` as it is typed.

use clap::ValueEnum;
use std::path::PathBuf;
use std::str::FromStr;

/// The forms that a preflight's report can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON document a line: each result as it happens, then the verdict.
    Jsonl,
    /// `JUnit` XML, for CI servers.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitHub workflow annotations, at most ten.
    Github,
}

/// One further copy of the report: `sarif=launch.sarif`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTo {
    /// Its form.
    pub format: ReportFormat,
    /// Where it goes.
    pub file: PathBuf,
}

impl FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            let names: Vec<String> = ReportFormat::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value)
                .map(|value| value.get_name().to_owned())
                .collect();
            format!("wanted FORMAT=FILE, FORMAT one of {}", names.join(", "))
        };
        let (format, file) = text.split_once('=').ok_or_else(wanted)?;
        let format = ReportFormat::from_str(format, true).map_err(|_| wanted())?;
        match file {
            "" => Err(wanted()),
            "-" => Err("a report goes to a file; --format chooses what stdout carries".to_owned()),
            file => Ok(Self {
                format,
                file: PathBuf::from(file),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_format_and_a_file() {
        let read = |text: &str| text.parse::<ReportTo>();
        let sarif = read("sarif=out/a=b.sarif").unwrap();
        assert_eq!(sarif.format, ReportFormat::Sarif);
        assert_eq!(sarif.file, PathBuf::from("out/a=b.sarif"));
        for wrong in ["sarif", "sarif=", "=x", "pdf=x", ""] {
            assert!(read(wrong).unwrap_err().contains("junit"), "{wrong}");
        }
        assert!(read("json=-").unwrap_err().contains("--format"));
    }
}
