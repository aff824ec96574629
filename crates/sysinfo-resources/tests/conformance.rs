//! The laws of the port, and real samples of the test process.

use ttm_health::testing::conformance;
use ttm_health::{ResourceSample, ResourceSource};
use ttm_sysinfo_resources::SysinfoResources;

#[tokio::test]
async fn the_laws_of_the_port_hold() {
    conformance::check(&SysinfoResources::new(vec![".".into()])).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_real_process_has_every_figure_from_the_second_sample_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let resources = SysinfoResources::new(vec![folder.path().into()]);
    resources.sample().await.expect("the first sample");
    let sample = resources.sample().await.expect("the second sample");
    let ResourceSample {
        memory_bytes: Some(memory),
        memory_limit_bytes: Some(memory_limit),
        cpu_percent: Some(_),
        disk_usage_percent: Some(disk),
        open_file_descriptors: Some(descriptors),
        file_descriptor_limit: Some(descriptor_limit),
    } = sample
    else {
        panic!("a figure is missing: {sample:?}");
    };
    assert!(memory > 1 << 20 && memory < memory_limit, "{sample:?}");
    assert!(disk <= 100.0, "{sample:?}");
    assert!(descriptors >= 3 && descriptors < descriptor_limit, "{sample:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_open_file_is_counted() {
    let resources = SysinfoResources::new(vec![".".into()]);
    let open = async || resources.sample().await.expect("a sample").open_file_descriptors.expect("a count");
    let before = open().await;
    let files: Vec<_> = (0..20).map(|_| tempfile::tempfile().expect("a temporary file")).collect();
    let after = open().await;
    // Concurrent tests open and close files, too.
    assert!(after >= before + 10, "{before} became {after} with {} more files", files.len());
}
