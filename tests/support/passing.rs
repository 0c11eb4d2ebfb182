//! All of an engine, for tests that put one in front of another and change some of it.

/// Implements `Engine` for a type with a field `inner` and a method `pass`, through which all calls
/// go but those that tests treat in their own way: these follow the type.
macro_rules! passes_on {
    ($type:ident { $($own:tt)* }) => {
        passes_on! { $type { $($own)* }
            enqueue(jobs: Vec<NewJob>, deadline: Duration) -> Vec<EnqueueReply>;
            join(queue: &QueueName, worker: WorkerId, lease: Duration, about: &About) -> ();
            extend(beats: Vec<Beat>) -> Vec<BeatReply>;
            leave(queue: &QueueName, worker: WorkerId) -> ();
            promote(queue: &QueueName, limit: usize) -> Progress;
            reap(request: ReapRequest) -> ReapReply;
            prune(queue: &QueueName, limits: PruneLimits) -> Progress;
            queues() -> Vec<QueueName>;
            stats(queue: &QueueName) -> QueueStats;
            workers(queue: &QueueName) -> Vec<WorkerStats>;
            list(request: ListRequest) -> Page;
            get(queue: &QueueName, ids: &[JobId]) -> Vec<Option<Stored>>;
            retry(queue: &QueueName, ids: &[JobId], pace: Option<Pace>) -> Vec<Act>;
            run_now(queue: &QueueName, ids: &[JobId]) -> Vec<Act>;
            delete(queue: &QueueName, ids: &[JobId]) -> Vec<Act>;
            cancel(queue: &QueueName, ids: &[JobId]) -> Vec<Act>;
            discard(queue: &QueueName, ids: &[JobId]) -> Vec<Act>;
            transfer(from: &QueueName, to: &QueueName, ids: &[JobId]) -> Vec<Act>;
            import(jobs: Vec<Stored>) -> Vec<Act>;
            pause(queue: &QueueName) -> ();
            resume(queue: &QueueName) -> ();
            audit(queue: &QueueName, repair: bool) -> AuditReport;
            identity() -> String;
            ping() -> u64;
        }
    };
    ($type:ident { $($own:tt)* }
     $($name:ident($($arg:ident: $arg_type:ty),*) -> $reply:ty;)+) => {
        #[async_trait]
        impl Engine for $type {
            $($own)*

            $(async fn $name(&self, $($arg: $arg_type),*) -> Result<$reply, EngineError> {
                self.pass(self.inner.$name($($arg),*)).await
            })+

            fn database(&self) -> Option<String> {
                self.inner.database()
            }

            fn durability(&self) -> Durability {
                self.inner.durability()
            }

            fn warnings(&self) -> Vec<String> {
                self.inner.warnings()
            }
        }
    };
}

pub(crate) use passes_on;
