pub fn run(_yes: bool, _only: Option<&str>) -> anyhow::Result<()> {
    anyhow::bail!("no benchmark yet")
}
