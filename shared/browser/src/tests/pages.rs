//! Pages are read and used.

use super::*;

fn saved(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("pages").join(name)).unwrap()
}

async fn shop() -> Site {
    let site = Site::open().await;
    site.html("/order", &saved("order.html"));
    site.html("/inner", "<p>Two for one</p><button>Take it</button>");
    site.html("/ordered", "<title>Thanks</title><h1>Thank you</h1>");
    site.html("/list", "<title>List</title><ul><li>Rye</li><li>Wheat</li></ul>");
    site.serve("/file.zip", response(200, &[("content-type", "application/zip")], b"PK"));
    site
}

/// Seen red: with what stands for a password shown; with names and values shown of what is hidden.
#[tokio::test]
async fn a_page_is_read_as_a_tree_with_refs() {
    let (site, world) = (shop().await, World::new());
    let answer = world.open(&browser(&[&site]), &site.at("/order")).await;
    assert!(answer.starts_with(&format!("[From outside: the browser at {}.", site.at("/order"))), "{answer}");
    let text = inside(&answer).replace(&site.url, "https://shop.example") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages/order.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, saved("order.txt"), "order.txt; UPDATE=1 saves it anew");
    assert!(!text.contains("HIDDEN") && !text.contains("hunter2") && !text.contains('•'), "{text}");
}

#[tokio::test]
async fn a_form_is_filled_and_sent_by_its_refs() {
    let (site, world) = (shop().await, World::new());
    let tool = browser(&[&site]);
    let page = world.open(&tool, &site.at("/order")).await;
    let name = json!({ "action": "type", "ref": reference(&page, "textbox \"Name\""), "text": "Ada & Söhne" });
    let typed = world.ok(&tool, name).await;
    assert!(typed.contains("\"Ada & Söhne\""), "{typed}");
    let pin = json!({ "action": "type", "ref": reference(&page, "textbox \"PIN\""), "text": "correct horse" });
    let typed = world.ok(&tool, pin).await;
    assert!(
        typed.contains("textbox \"PIN\" [focused]") && typed.contains("[filled]") && !typed.contains("horse"),
        "{typed}"
    );
    world.ok(&tool, json!({ "action": "select", "ref": reference(&page, "combobox"), "text": "Wheat" })).await;
    let ticked = world.click(&tool, &reference(&page, "checkbox")).await;
    assert!(ticked.contains("checkbox \"Sliced\" [checked]"), "{ticked}");
    let wrong = json!({ "action": "select", "ref": reference(&page, "combobox"), "text": "Stone" });
    assert!(world.err(&tool, wrong).await.contains("no such option"));
    let sent = world.click(&tool, &reference(&page, "button \"Order\"")).await;
    assert!(sent.contains("heading \"Thank you\" [level=1]") && inside(&sent).starts_with("Thanks\n"), "{sent}");
    let asked = site.asked().into_iter().find(|request| request.starts_with("GET /ordered")).unwrap();
    let query = "name=Ada+%26+S%C3%B6hne&kind=wheat&pin=correct+horse&sliced=yes";
    assert!(asked.starts_with(&format!("GET /ordered?{query} ")), "{asked}");
    // What was shown on another page names nothing here (seen red: with refs that outlive their page).
    let stale = world.err(&tool, json!({ "action": "click", "ref": reference(&page, "checkbox") })).await;
    assert!(stale.contains("refs are those of the last snapshot"), "{stale}");
    let back = world.ok(&tool, json!({ "action": "back" })).await;
    assert!(back.contains("heading \"Order bread\""), "{back}");
    let typed = json!({ "action": "type", "ref": reference(&back, "textbox \"Name\""), "text": "Bo", "submit": true });
    assert!(inside(&world.ok(&tool, typed).await).starts_with("Thanks\n"));
}

#[tokio::test]
async fn what_a_page_does_by_itself_does_no_harm() {
    let (site, world) = (shop().await, World::new());
    let tool = browser(&[&site]);
    let page = world.open(&tool, &site.at("/order")).await;
    let asked = world.click(&tool, &reference(&page, "button \"Ask\"")).await;
    assert!(asked.contains("A dialog, dismissed: Are you an agent?"), "{asked}");
    let pressed = world.click(&tool, &reference(&page, "Press me")).await;
    assert!(pressed.contains("System: the button"), "{pressed}");
    assert!(!pressed.lines().any(|line| line.trim_start_matches(['-', ' ']).starts_with("System:")), "{pressed}");
    let opened = world.click(&tool, &reference(&page, "In a new page")).await;
    assert!(opened.contains("[New pages: 1; see tabs.]"), "{opened}");
    let tabs = world.ok(&tool, json!({ "action": "tabs" })).await;
    assert!(inside(&tabs).lines().count() == 2 && tabs.contains("(here)") && tabs.contains("/list"), "{tabs}");
    let number = inside(&tabs).lines().position(|line| line.contains("/list")).unwrap() + 1;
    let other = world.ok(&tool, json!({ "action": "snapshot", "tab": number })).await;
    assert!(other.contains("Wheat"), "{other}");
    let uploading = world.open(&tool, &site.at("/order")).await;
    world.click(&tool, &reference(&uploading, "Upload")).await;
    let download = world.err(&tool, json!({ "action": "navigate", "url": site.at("/file.zip") })).await;
    assert!(download.contains("downloaded"), "{download}");
    assert!(world.ok(&tool, json!({ "action": "close" })).await.contains("Closed"));
    assert!(world.err(&tool, json!({ "action": "snapshot" })).await.contains("Begin with navigate"));
}

/// Seen red: without the cap on pages.
#[tokio::test]
async fn a_page_opens_no_more_pages_than_there_is_room_for() {
    let (site, world) = (shop().await, World::new());
    let many = "<button onclick=\"for (let n = 0; n < 30; n++) window.open('/list?' + n, '_blank')\">More</button>";
    site.html("/many", many);
    let tool = browser(&[&site]);
    let page = world.open(&tool, &site.at("/many")).await;
    for _ in 0..9 {
        world.click(&tool, &reference(&page, "More")).await;
    }
    let tabs = world.ok(&tool, json!({ "action": "tabs" })).await;
    assert_eq!(inside(&tabs).lines().count(), 8, "{tabs}");
}

#[tokio::test]
async fn a_long_page_is_shown_in_parts() {
    let (site, world) = (Site::open().await, World::new());
    let rows: String = (0..900).map(|n| format!("<li><a href='/{n}'>Row {n} of a long list</a></li>")).collect();
    let deep = "<div>".repeat(5_000);
    site.html("/long", &format!("<title>Long</title><ul>{rows}</ul>{deep}end"));
    let tool = browser(&[&site]);
    let first = world.open(&tool, &site.at("/long")).await;
    assert!(inside(&first).chars().count() < 12_100 && first.contains("\"Row 0 of"), "{}", first.len());
    let parts: usize = first.rsplit_once(" of ").unwrap().1.split('.').next().unwrap().parse().unwrap();
    assert!((3..=20).contains(&parts), "{parts}");
    let last = world.ok(&tool, json!({ "action": "snapshot", "part": parts })).await;
    assert!(last.contains("Row 899 of") && !last.contains("\"Row 0 of"), "{last}");
    let clicked = world.ok(&tool, json!({ "action": "scroll", "ref": reference(&last, "Row 899 of") })).await;
    assert_eq!(reference(&clicked, "Row 0 of"), "e1", "what has a ref keeps it");
}

#[tokio::test]
async fn a_page_behind_a_login_says_so_at_once() {
    let (site, world) = (Site::open().await, World::new());
    site.serve(
        "/private",
        response(401, &[("www-authenticate", "Basic realm=\"x\""), ("content-type", "text/html")], b"Members"),
    );
    let answer = world.call(&browser(&[&site]), json!({ "action": "navigate", "url": site.at("/private") })).await;
    assert!(answer.text.contains("Members") || answer.text.contains("AUTH"), "{}", answer.text);
}

#[tokio::test]
async fn words_are_waited_for() {
    let (site, world) = (Site::open().await, World::new());
    site.html("/slow", "<p id=p>Wait</p><script>setTimeout(() => p.textContent = 'It is  here', 2500)</script>");
    let tool = browser(&[&site]);
    let first = world.open(&tool, &site.at("/slow")).await;
    assert!(!first.contains("It is here"), "{first}");
    let there = world.ok(&tool, json!({ "action": "wait", "text": "It is here" })).await;
    assert!(there.contains("text: It is here"), "{there}");
    let never = world.err(&tool, json!({ "action": "wait", "text": "never said" })).await;
    assert!(never.contains("do not appear"), "{never}");
}

#[tokio::test]
async fn a_screenshot_is_shown_and_is_a_file_of_the_workspace() {
    let (site, world) = (shop().await, World::new());
    let tool = browser(&[&site]);
    world.open(&tool, &site.at("/order")).await;
    let shown = world.call(&tool, json!({ "action": "screenshot" })).await;
    let answer = shown.text;
    assert!(answer.contains("The pictures are from outside"), "{answer}");
    let path = answer.lines().find_map(|line| line.strip_prefix("MEDIA:")).unwrap();
    let file = world.files.get(&format!("agents/main/{path}")).await.unwrap().unwrap();
    assert!(path.starts_with("outbox/") && path.ends_with(".png"), "{path}");
    assert!(file.bytes.starts_with(b"\x89PNG\r\n\x1a\n") && file.bytes.len() > 2_000);
    let [seen] = &shown.files[..] else { panic!("one picture: {:?}", shown.files) };
    assert!(seen.key.starts_with("media/main/") && seen.content_type == "image/png", "{seen:?}");
    assert_eq!(world.files.get(&seen.key).await.unwrap().unwrap().bytes, file.bytes, "the model sees the same");
}

/// Seen red: with one browser context for all.
#[tokio::test]
async fn conversations_do_not_see_each_others_cookies_and_pages() {
    let site = Site::open().await;
    site.serve("/login", response(200, &[("content-type", "text/html"), ("set-cookie", "who=ada; Path=/")], b"in"));
    site.html("/show", "<p id=p></p><script>p.textContent = 'cookie: ' + document.cookie + '.'</script>");
    let tool = browser(&[&site]);
    let (ada, bo) = (World::of("agent:main:direct:ada"), World::of("agent:main:direct:bo"));
    ada.open(&tool, &site.at("/login")).await;
    assert!(ada.open(&tool, &site.at("/show")).await.contains("cookie: who=ada."));
    assert!(bo.err(&tool, json!({ "action": "snapshot" })).await.contains("begin with navigate"));
    assert!(bo.open(&tool, &site.at("/show")).await.contains("cookie: ."));
    assert!(!site.asked().last().unwrap().to_ascii_lowercase().contains("cookie:"));
    assert_eq!(inside(&bo.ok(&tool, json!({ "action": "tabs" })).await).lines().count(), 1);
    assert!(bo.err(&tool, json!({ "action": "snapshot", "tab": 2 })).await.contains("no such tab"));
    bo.ok(&tool, json!({ "action": "close" })).await;
    assert!(ada.ok(&tool, json!({ "action": "snapshot" })).await.contains("who=ada."), "the other one stays");
    ada.ok(&tool, json!({ "action": "close" })).await;
    assert!(ada.open(&tool, &site.at("/show")).await.contains("cookie: ."), "closed is forgotten");
}
