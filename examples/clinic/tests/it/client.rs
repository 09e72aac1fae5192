//! A clinic on a free port, and single calls to it.

use std::net::SocketAddr;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use probity_clinic::credentials::{ADMIN_TOKEN, BATCH_KEY, PARTNER_KEY, PATIENT_TOKENS, STAFF_TOKENS};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Clinic {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), probity_clinic::ServeError>>,
}

impl Clinic {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(probity_clinic::serve(listener, async move {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), served }
    }

    pub async fn end(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.served.await.unwrap().unwrap();
    }

    pub async fn call(&self, method: &str, target: &str, who: Who, body: Option<Value>) -> Answer {
        self.call_with(method, target, who, body, &[]).await
    }

    pub async fn get(&self, target: &str, who: Who) -> Answer {
        self.call("GET", target, who, None).await
    }

    pub async fn call_with(
        &self,
        method: &str,
        target: &str,
        who: Who,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method.parse::<Method>().unwrap())
            .uri(target)
            .header("host", "api.clinic.example");
        for (name, value) in
            headers.iter().copied().chain(who.header().as_ref().map(|(n, v)| (*n, v.as_str())))
        {
            request = request.header(name, value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = if head.status == 101 { Bytes::new() } else { body.collect().await.unwrap().to_bytes() };
        connection.abort();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Nobody,
    /// The patient at this index.
    Patient(usize),
    Staff,
    Admin,
    Partner,
    Batch,
}

impl Who {
    fn header(self) -> Option<(&'static str, String)> {
        let bearer = |token: &str| Some(("authorization", format!("Bearer {token}")));
        let key = |key: &str| Some(("x-api-key", key.to_owned()));
        match self {
            Self::Nobody => None,
            Self::Patient(index) => bearer(PATIENT_TOKENS[index]),
            Self::Staff => bearer(STAFF_TOKENS[0]),
            Self::Admin => bearer(ADMIN_TOKEN),
            Self::Partner => key(PARTNER_KEY),
            Self::Batch => key(BATCH_KEY),
        }
    }
}

/// Ids that exist, as a caller finds them.
pub struct Ids {
    /// Of the patient at index 0, who is signed in as `Who::Patient(0)`.
    pub patient: String,
    pub appointment: String,
    /// Of a patient other than the first.
    pub foreign_prescription: String,
    pub prescription: String,
    pub payment: String,
    pub lab_result: String,
    pub clinician: String,
    pub member: String,
    pub claim: String,
}

impl Ids {
    pub async fn of(clinic: &Clinic) -> Self {
        let own = Who::Patient(0);
        let patient = text(&clinic.get("/v2/me", own).await.json["patientId"]);
        let first = async |target: &str, who: Who, field: &str| {
            text(&clinic.get(target, who).await.json["items"][0][field])
        };
        let all = clinic.get("/v2/prescriptions?limit=50", Who::Staff).await.json;
        let foreign = all["items"].as_array().unwrap().iter().find(|it| it["patientId"] != patient.as_str());
        Self {
            foreign_prescription: text(&foreign.unwrap()["id"]),
            appointment: first("/v2/appointments", own, "id").await,
            prescription: first("/v2/prescriptions", own, "id").await,
            payment: first("/v2/payments", own, "id").await,
            lab_result: first(&format!("/v2/patients/{patient}/lab-results"), own, "id").await,
            clinician: first("/v2/clinicians", own, "slug").await,
            member: text(
                &clinic.get(&format!("/v2/patients/{patient}/insurance"), own).await.json["memberId"],
            ),
            claim: first("/v2/batch/claims", Who::Batch, "claimNumber").await,
            patient,
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => panic!("expected an id, found {other}"),
    }
}
