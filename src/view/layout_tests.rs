//! Properties of every layout: nothing overlaps, nothing leaves the stage.

use super::*;

const WIDTHS: [f32; 8] = [1600.0, 1280.0, 960.0, 738.0, 640.0, 480.0, 390.0, 320.0];

/// `producers` that feed one broker that feeds `consumers`.
fn star(producers: u16, consumers: u16) -> Plan {
    let mut plan = Plan::default();
    plan.kinds.extend((0..producers).map(|_| Kind::Producer));
    plan.kinds.push(Kind::Broker { queues: 1 });
    plan.kinds.extend((0..consumers).map(|_| Kind::Consumer { memory: Memory::Beside }));
    plan.joins.extend((0..producers).map(|p| (p, producers)));
    plan.joins.extend((0..consumers).map(|c| (producers, producers + 1 + c)));
    plan
}

/// A producer and `stations` consumers one after another.
fn tandem(stations: u16) -> Plan {
    let mut plan = Plan { kinds: vec![Kind::Producer], ..Plan::default() };
    plan.kinds.extend((0..stations).map(|_| Kind::Consumer { memory: Memory::Below }));
    plan.joins.extend((0..stations).map(|s| (s, s + 1)));
    plan
}

fn plans() -> Vec<(String, Plan)> {
    let mut plans: Vec<(String, Plan)> = Vec::new();
    for (p, c) in
        [(1, 1), (1, 2), (1, 3), (2, 4), (1, 5), (3, 8), (1, 16), (8, 30), (1, 64), (9, 190)]
    {
        plans.push((format!("star {p} {c}"), star(p, c)));
    }
    for n in [1, 2, 4, 10] {
        plans.push((format!("tandem {n}"), tandem(n)));
    }
    let pair = Plan {
        kinds: vec![Kind::Requester, Kind::Consumer { memory: Memory::Below }],
        joins: vec![(0, 1)],
        ..Plan::default()
    };
    plans.push(("pair".into(), pair));
    let alone = Plan { kinds: vec![Kind::Broker { queues: 20 }], joins: vec![], ..Plan::default() };
    plans.push(("alone".into(), alone));
    plans
}

fn rooms() -> impl Iterator<Item = Room> {
    WIDTHS.into_iter().flat_map(|width| {
        [false, true].map(|embed| Room {
            width,
            height: if width < 480.0 { 400.0 } else { 340.0 },
            embed,
            caption: !embed && 480.0 <= width,
            fill: embed,
        })
    })
}

#[test]
fn no_card_or_button_overlaps_another() {
    for (name, plan) in plans() {
        for room in rooms() {
            let layout = layout(&plan, room);
            let mut rects: Vec<Rect> = layout.places.iter().map(|place| place.rect).collect();
            // A button outside its card is a thing of its own; inside it may not leave the card.
            for place in &layout.places {
                if let Some(button) = place.button {
                    if !place.rect.overlaps(&button) {
                        rects.push(button);
                    } else {
                        assert!(place.rect.grown(0.5).contains(pt(button.x, button.y)), "{name}");
                        let corner = pt(button.right(), button.bottom());
                        assert!(place.rect.grown(0.5).contains(corner), "{name} {room:?}");
                    }
                }
            }
            for (i, a) in rects.iter().enumerate() {
                for b in &rects[i + 1..] {
                    assert!(!a.overlaps(&b.grown(-0.01)), "{name} {room:?}: {a:?} {b:?}");
                }
            }
        }
    }
}

#[test]
fn everything_is_inside_the_stage() {
    for (name, plan) in plans() {
        for room in rooms() {
            let layout = layout(&plan, room);
            // Nothing stands on the caption, which is as high as its letters.
            let floor = layout.caption.map_or(layout.height, |caption| caption.y - 12.0);
            let stage = Rect::new(0.0, 0.0, layout.width, floor);
            for place in &layout.places {
                for rect in std::iter::once(place.rect).chain(place.button) {
                    let whole = 0.0 <= rect.x
                        && rect.right() <= stage.w + 0.01
                        && 0.0 <= rect.y
                        && rect.bottom() <= stage.h + 0.01;
                    assert!(whole, "{name} {room:?}: {rect:?} in {stage:?}");
                    assert!(4.0 < rect.w && 4.0 < rect.h, "{name} {room:?}: {rect:?}");
                }
            }
        }
    }
}

#[test]
fn messages_run_from_sources_to_sinks() {
    for (name, plan) in plans() {
        for room in rooms() {
            let layout = layout(&plan, room);
            for (pipe, &(from, to)) in layout.pipes.iter().zip(&plan.joins) {
                let (start, end) = (pipe.at(0.0), pipe.at(1.0));
                let forward = if layout.turned { start.y < end.y } else { start.x < end.x };
                assert!(forward, "{name} {room:?}: {from} to {to}");
                let near = |rect: Rect, p: Point| rect.grown(0.1).contains(p);
                assert!(near(layout.places[usize::from(from)].rect, start), "{name} {room:?}");
                assert!(near(layout.places[usize::from(to)].rect, end), "{name} {room:?}");
            }
        }
    }
}

#[test]
fn the_stage_is_turned_on_narrow_screens_only() {
    let plan = star(1, 3);
    let at = |width, embed| {
        layout(&plan, Room { width, height: 400.0, embed, caption: false, fill: false }).turned
    };
    assert!(!at(960.0, false) && at(799.0, false));
    assert!(!at(738.0, true) && at(479.0, true));
}

#[test]
fn three_consumers_stand_in_full_cards_beside_their_broker() {
    let room = Room { width: 960.0, height: 300.0, embed: false, caption: true, fill: false };
    let layout = layout(&star(1, 3), room);
    assert!(layout.places.iter().all(|place| place.density == Density::Full));
    assert_eq!(layout.height, 276.0);
    assert_eq!(layout.places[2].rect, Rect::new(752.0, 10.0, 188.0, 72.0));
    let middle = layout.places[0].rect.centre().y;
    assert_eq!(middle, layout.places[1].rect.centre().y);
}

#[test]
fn many_consumers_become_rows_then_bars() {
    let room = Room { width: 960.0, height: 340.0, embed: false, caption: true, fill: false };
    let density = |n| layout(&star(1, n), room).places[3].density;
    assert_eq!(density(3), Density::Full);
    assert_eq!(density(6), Density::Row);
    assert_eq!(density(12), Density::Bar);
    assert_eq!(density(190), Density::Bar);
}

#[test]
fn a_loop_between_actors_does_not_hang() {
    let mut plan = star(1, 2);
    plan.joins.push((2, 1));
    let room = Room { width: 960.0, height: 340.0, embed: false, caption: true, fill: false };
    assert_eq!(layout(&plan, room).pipes.len(), 4);
}
