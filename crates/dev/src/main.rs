//! The whole line in one process.

fn main() -> anyhow::Result<()> {
    avalanche::helper::run_if_requested();
    service::telemetry::init(&service::telemetry::Config { filter: "info".into(), ..Default::default() })?;
    service::run(|supervisor| async move {
        let options = snekbook_dev::line::Options::new("/tmp/devdata".into());
        let line = snekbook_dev::Line::start(&options, &supervisor).await?;
        line.forge.create_user("alice")?;
        line.forge.create_repository("snekbook/recipes").await?;
        line.forge.set_role("snekbook/recipes", "alice", forge::Role::Write)?;
        eprintln!("{line:?}\npush: {}", line.forge.push_url("snekbook/recipes", "alice")?);
        Ok(line)
    })
}
