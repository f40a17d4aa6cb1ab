//! Frames of other sites are read and used like those of the same one.

use super::*;

/// A page of one site, with a frame of another in it, which holds a frame of the first.
pub(super) async fn nested() -> (Site, Site) {
    let (site, other) = (Site::open().await, Site::open().await);
    let inner = format!("http://localhost:{}/inner", other.port);
    site.html(
        "/outer",
        &format!(
            "<h1>Outer</h1><div style='height: 1700px'></div><iframe src='{inner}' width=600 height=500></iframe>"
        ),
    );
    let nested = site.at("/nested");
    other.html(
        "/inner",
        &format!(
            "<h2>Inner</h2><button onclick=\"this.textContent = 'Paid'\">Pay</button>
             <form action=/done><input aria-label=Card name=card></form><div style='height: 900px'></div>
             <iframe src='{nested}' style='border: 7px solid'></iframe>"
        ),
    );
    site.html("/nested", "<button onclick=\"this.textContent = 'Closed'\">Innermost</button>");
    other.html("/done", "<h2>Thank you</h2><a href='/inner'>Once more</a>");
    (site, other)
}

/// The places of both, as the owner names them.
pub(super) fn places(site: &Site, other: &Site) -> Vec<HostPort> {
    [site.url.clone(), format!("http://localhost:{}", other.port)].map(|url| HostPort::of_url(&url).unwrap()).to_vec()
}

/// The story, with whichever browser.
pub(super) async fn used(tool: &Browser, site: &Site, other: &Site) {
    let world = World::new();
    let page = world.open(tool, &site.at("/outer")).await;
    let lines =
        ["heading \"Outer\"", "  - heading \"Inner\"", "button \"Pay\"", "textbox \"Card\"", "button \"Innermost\""];
    assert!(lines.iter().all(|line| page.contains(line)), "{page}");
    let clicked = world.click(tool, &reference(&page, "button \"Pay\"")).await;
    assert!(clicked.contains("button \"Paid\""), "{clicked}");
    let clicked = world.click(tool, &reference(&page, "button \"Innermost\"")).await;
    assert!(clicked.contains("button \"Closed\""), "{clicked}");
    let card = reference(&page, "textbox \"Card\"");
    let done = world.ok(tool, json!({ "action": "type", "ref": card, "text": "42", "submit": true })).await;
    assert!(done.contains("heading \"Thank you\"") && done.contains("heading \"Outer\""), "{done}");
    assert!(other.asked().iter().any(|asked| asked.starts_with("GET /done?card=42 ")), "{:?}", other.asked());
    let stale = world.err(tool, json!({ "action": "click", "ref": card })).await;
    assert!(stale.contains("refs are those of the last snapshot"), "{stale}");
    let again = world.click(tool, &reference(&done, "link \"Once more\"")).await;
    let pressed = reference(&again, "textbox \"Card\"");
    world.ok(tool, json!({ "action": "type", "ref": pressed, "text": "43" })).await;
    world.ok(tool, json!({ "action": "press", "text": "Enter" })).await;
    assert!(other.asked().iter().any(|asked| asked.starts_with("GET /done?card=43 ")), "{:?}", other.asked());
}

#[tokio::test]
async fn frames_of_other_sites_are_read_and_used() {
    let (site, other) = nested().await;
    used(&Browser::local(launch(), &client(), places(&site, &other)), &site, &other).await;
}
