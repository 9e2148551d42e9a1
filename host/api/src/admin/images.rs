//! Images whose content is in a volume.

use springform_control::images::RegisterImage;

use crate::http::{Answer, Call, Keys, Routes, empty, json};
use crate::views::admin::ImageView;
use crate::views::{Many, One};

pub(super) fn routes(r: &mut Routes) {
    r.get("/images", "springform:images:list", list)
        .admin()
        .asks(&["marker"])
        .says("Lists the images that volumes can be made of, a thousand at a time.")
        .returns::<Many<ImageView<'_>>>(200);
    r.post("/images", "springform:images:register", register)
        .admin()
        .takes("{image:{id:id, volume_id:id, name?:short?, properties?:map?}}")
        .says("Says that a volume has the content of an image: volumes of the image are cloned from it.")
        .returns::<One<ImageView<'_>>>(201);
    r.delete(
        "/images/{image_id}",
        "springform:images:unregister",
        unregister,
    )
    .admin()
    .says("Forgets which volume has the content of an image; the volume stays.")
    .ends(204);
}

async fn list(call: Call) -> Answer {
    let after = call.query.get("marker");
    let found = call.control().images().list(after).await?;
    json(200, &Many(found.iter().map(ImageView::new).collect()))
}

async fn register(call: Call) -> Answer {
    let mut fields = call.object("image")?;
    let wanted = RegisterImage {
        image_id: fields.required_uuid("id")?,
        volume_id: fields.required_uuid("volume_id")?,
        name: fields.name()?,
        properties: fields
            .pairs_or_null("properties", Keys::Any)?
            .unwrap_or_default(),
    };
    fields.finish()?;
    let made = call
        .control()
        .images()
        .register(&call.caller, wanted)
        .await?;
    json(201, &One(ImageView::new(&made)))
}

async fn unregister(call: Call) -> Answer {
    call.control()
        .images()
        .unregister(call.part("image_id"))
        .await?;
    empty(204)
}
